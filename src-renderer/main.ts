/** Entry of the window. */
import { createApp } from 'vue'
import { createPinia } from 'pinia'
import App from './App.vue'
import { router } from './router/router.ts'
import { useBridge } from './transport/connect.ts'
import './styles/base.css'

// First of all: takes the token out of the address before the router reads it.
useBridge()
createApp(App).use(createPinia()).use(router).mount('#app')
