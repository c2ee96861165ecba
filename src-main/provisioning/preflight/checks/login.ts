import { defineCheck, pass } from '../check.ts'

export const loginCheck = defineCheck({
  id: 'login',
  title: 'Log-in',
  judge: ({ facts }) => pass(`logged in to ${facts.hostname}`),
})
