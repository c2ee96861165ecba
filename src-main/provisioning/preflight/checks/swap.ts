import { defineCheck, pass, warn } from '../check.ts'

export const swapCheck = defineCheck({
  id: 'swap',
  title: 'Swap',
  probe: 'wc -l < /proc/swaps',
  judge: ({ output }) => (Number(output) > 1 ? warn('Swap is on: memory limits of pods are less exact.', 'swapoff -a') : pass('off')),
})
