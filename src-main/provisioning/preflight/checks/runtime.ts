import { defineCheck, compareVersions, pass, warn, fail } from '../check.ts'

export const runtimeCheck = defineCheck({
  id: 'runtime',
  title: 'Container runtime',
  judge({ facts }) {
    const { docker } = facts
    if (!docker.installed) return pass('Docker will be installed')
    if (!docker.active) return warn('Docker is installed and does not answer; it will be started.', 'systemctl start docker')
    return compareVersions(docker.apiVersion, '1.41') < 0
      ? fail(`Docker ${docker.version} (API ${docker.apiVersion}) is too old: API 1.41 (Docker 20.10) is needed.`)
      : pass(`Docker ${docker.version}`)
  },
})
