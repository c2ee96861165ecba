/** Pages by address: `#/list/pods?open=shop/web-1`. Hash history: the same under a custom protocol and a plain file server. */
import { createRouter, createWebHashHistory } from 'vue-router'

export const router = createRouter({
  history: createWebHashHistory(),
  routes: [
    { path: '/', name: 'overview', component: () => import('../features/overview/OverviewPage.vue') },
    { path: '/balance', name: 'balance', component: () => import('../features/balance/BalancePage.vue') },
    { path: '/machines', name: 'machines', component: () => import('../features/machines/MachinesPage.vue') },
    { path: '/new-cluster', name: 'new-cluster', component: () => import('../features/wizard/WizardPage.vue') },
    { path: '/list/:kind', name: 'list', component: () => import('../features/resources/ResourcePage.vue') },
    { path: '/:rest(.*)', redirect: '/' },
  ],
})
