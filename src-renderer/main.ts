/** Entry of the window. transport/connect.ts comes first: it takes the token out of the address before the router reads it. */
import { useBridge } from './transport/connect.ts'
import { createApp } from 'vue'
import { createPinia } from 'pinia'
import App from './App.vue'
import { router } from './router/router.ts'
import './styles/base.css'

useBridge()
createApp(App).use(createPinia()).use(router).mount('#app')
