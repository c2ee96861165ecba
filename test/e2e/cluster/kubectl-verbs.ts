/** What kubectl does with running pods: reading, changing, looking inside, copying, forwarding. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { busyboxImage, inNamespace, isReady, pod, service, until, webDeployment, webImage, whileLooking, type Scope, type TestCluster } from './cluster.ts'

/** A command that goes on, with what it has said so far. */
interface Running {
  readonly process: ChildProcess
  out(): string
  readonly ended: Promise<number>
  end(): Promise<number>
}

function running(cluster: TestCluster, ns: Scope, args: readonly string[]): Running {
  const child = cluster.commands.start('kubectl', ['-n', ns.name, ...args])
  let text = ''
  child.stdout?.on('data', (data: Buffer) => {
    text += data.toString()
  })
  child.stderr?.on('data', (data: Buffer) => {
    text += data.toString()
  })
  const ended = new Promise<number>(resolve =>
    child.on('close', code => {
      resolve(code ?? 255)
    }),
  )
  return {
    process: child,
    out: () => text,
    ended,
    end: () => {
      child.kill('SIGINT')
      return ended
    },
  }
}

const rows = (text: string): string[] => text.trim().split('\n')

export function kubectlVerbs(cluster: () => TestCluster): void {
  describe.concurrent('kubectl', () => {
    it('gets pods as table, wide, yaml, json, custom columns and with labels', () =>
      inNamespace(cluster(), 'verbs-get', async ns => {
        await ns.apply(pod('box', { labels: { tier: 'front' } }))
        await ns.ready('app=box', 1)
        expect(rows(await ns.kubectl('get pods'))[0]?.split(/ {2,}/)).toEqual(['NAME', 'READY', 'STATUS', 'RESTARTS', 'AGE'])
        expect(rows(await ns.kubectl('get pods'))[1]).toMatch(/^box +1\/1 +Running +0 +\d+s$/)
        expect(rows(await ns.kubectl('get pods -o wide'))[1]).toMatch(/^box +1\/1 +Running +0 +\d+s +10\.244\.\d+\.\d+ +(one|two) +<none> +<none>$/)
        expect(await ns.kubectl('get pod box -o yaml')).toMatch(/^apiVersion: v1\nkind: Pod\nmetadata:\n/)
        expect(JSON.parse(await ns.kubectl('get pod box -o json'))).toMatchObject({ kind: 'Pod', status: { phase: 'Running', qosClass: 'BestEffort' } })
        expect(rows(await ns.kubectl('get pods -o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[0].image'))[1]).toMatch(new RegExp(`^box +${busyboxImage}$`))
        expect(rows(await ns.kubectl('get pods --show-labels'))[1]).toMatch(/app=box,tier=front$/)
        expect(await ns.kubectl('get pods -l tier=front -o name')).toBe('pod/box\n')
        expect(await ns.kubectl('get pods --field-selector status.phase=Running -o name')).toBe('pod/box\n')
        expect(
          rows(await ns.kubectl('get nodes -o wide'))
            .slice(1)
            .map(row => row.split(/ {2,}/).slice(0, 2)),
        ).toEqual([
          ['one', 'Ready'],
          ['two', 'Ready'],
        ])
      }))

    it('watches a pod from Pending to Running to its end', () =>
      inNamespace(cluster(), 'verbs-watch', async ns => {
        const watch = running(cluster(), ns, ['get', 'pods', '-w', '--output-watch-events', '--no-headers'])
        await ns.apply(pod('once', { spec: { restartPolicy: 'Never' }, container: { command: ['sh', '-c', 'sleep 1'] } }))
        await until('the watch shows the end', 30, () => /MODIFIED +once +0\/1 +Completed/.test(watch.out()))
        await watch.end()
        const states = rows(watch.out())
          .map(row => row.trim().split(/ +/))
          .map(cells => `${cells[0]} ${cells[3]}`)
        expect(states[0]).toBe('ADDED Pending')
        expect(states).toEqual(expect.arrayContaining(['MODIFIED ContainerCreating', 'MODIFIED Running', 'MODIFIED Completed']))
      }))

    it('describes a pod with its events, a deployment, a service with its endpoints, and a node with its pods', () =>
      inNamespace(cluster(), 'verbs-describe', async ns => {
        await ns.apply(webDeployment('web'), service('web'))
        const [found] = await ns.ready('app=web', 1)
        const name = found?.metadata?.name ?? ''
        const text = await ns.kubectl(['describe', 'pod', name])
        expect(text).toMatch(/Controlled By: +ReplicaSet\/web-/)
        expect(text).toMatch(/Normal +Scheduled .*Successfully assigned verbs-describe\/web-/)
        expect(text).toMatch(/Normal +Started/)
        expect(await ns.kubectl('describe deployment web')).toMatch(/Replicas: +1 desired \| 1 updated \| 1 total \| 1 available \| 0 unavailable/)
        await until('the service has its endpoint', 10, async () => (await ns.kubectl('describe service web')).includes(`${found?.status?.podIP}:80`))
        const node = await ns.kubectl(['describe', 'node', found?.spec?.nodeName ?? ''])
        expect(node).toMatch(new RegExp(`verbs-describe +${name} `))
        expect(node).toMatch(/Allocated resources:/)
        expect(node).toMatch(/Ready +True .*KubeletReady/)
      }))

    it('creates, runs, labels, annotates, patches in three ways, edits and deletes', () =>
      inNamespace(cluster(), 'verbs-change', async ns => {
        expect(await ns.kubectl('create configmap settings --from-literal=colour=brass')).toBe('configmap/settings created\n')
        expect(await ns.kubectl('edit configmap settings')).toBe('configmap/settings edited\n')
        expect(await ns.kubectl('get configmap settings -o jsonpath={.data.colour}')).toBe('copper')
        expect(await ns.kubectl(`run box --image=${busyboxImage} --labels=a=b --env=MOOD=calm`)).toBe('pod/box created\n')
        await ns.kubectl('wait pod/box --for=condition=Ready --timeout=30s')
        expect(await ns.kubectl('label pod box tier=front a-')).toBe('pod/box labeled\n')
        expect(await ns.kubectl('annotate pod box note=hello')).toBe('pod/box annotated\n')
        await ns.kubectl(['patch', 'pod', 'box', '--type=json', '-p', '[{"op":"add","path":"/metadata/labels/json","value":"yes"}]'])
        await ns.kubectl(['patch', 'pod', 'box', '--type=merge', '-p', '{"metadata":{"labels":{"merge":"yes"}}}'])
        await ns.kubectl([
          'patch',
          'pod',
          'box',
          '--type=strategic',
          '-p',
          '{"metadata":{"labels":{"strategic":"yes"}},"spec":{"containers":[{"name":"box","image":"quarterdeck.test/busybox:1"}]}}',
        ])
        const changed = await ns.pod('box')
        expect(changed.metadata?.labels).toEqual({ tier: 'front', json: 'yes', merge: 'yes', strategic: 'yes' })
        expect(changed.metadata?.annotations).toMatchObject({ note: 'hello' })
        expect((await ns.attempt(['patch', 'pod', 'box', '-p', '{"spec":{"hostname":"other"}}'])).stderr).toContain('pod updates may not change fields other than')
        expect(await ns.sh('box', 'echo $MOOD')).toBe('calm\n')
        expect(await ns.kubectl('delete pod box --grace-period=1')).toContain('pod "box" deleted')
        expect((await ns.attempt('get pod box')).stderr).toContain('pods "box" not found')
      }))

    it('applies from the client and from the server, and says which manager is in conflict', () =>
      inNamespace(cluster(), 'verbs-apply', async ns => {
        const text = JSON.stringify(webDeployment('web'))
        expect(await ns.kubectl('apply -f -', text)).toBe('deployment.apps/web created\n')
        expect(await ns.kubectl('apply -f -', text)).toBe('deployment.apps/web unchanged\n')
        expect(await ns.kubectl('diff -f -', text)).toBe('')
        expect(await ns.kubectl('apply --server-side --force-conflicts --field-manager=robot -f -', text)).toBe('deployment.apps/web serverside-applied\n')
        const refused = await ns.attempt('apply --server-side --field-manager=other -f -', JSON.stringify(webDeployment('web', { replicas: 3 })))
        expect(refused.stderr).toContain('conflict')
        expect(refused.stderr).toContain('.spec.replicas')
        const several = (field: string): string =>
          JSON.stringify({ apiVersion: 'v1', kind: 'List', items: ['a', 'b'].map(name => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, [field]: { k: 'v' } })) })
        expect(await ns.kubectl('apply -f -', several('data'))).toBe('configmap/a created\nconfigmap/b created\n')
        expect((await ns.attempt('apply -f -', several('dada'))).stderr).toContain('unknown field "dada"')
      }))

    it('scales, rolls out, shows history, undoes, restarts and exposes a deployment', () =>
      inNamespace(cluster(), 'verbs-rollout', async ns => {
        await ns.apply(webDeployment('web'))
        await ns.rolledOut('web')
        await ns.kubectl('scale deployment web --replicas=2')
        await ns.ready('app=web', 2)
        await ns.kubectl('set env deployment/web VERSION=2')
        expect(await ns.rolledOut('web')).toContain('successfully rolled out')
        expect(rows(await ns.kubectl('rollout history deployment/web')).slice(1)).toHaveLength(3)
        expect(await ns.kubectl('rollout history deployment/web --revision=2')).toMatch(/VERSION:\s+2/)
        await ns.kubectl('rollout undo deployment/web')
        await ns.rolledOut('web')
        expect(await ns.kubectl('get deployment web -o json')).not.toContain('VERSION')
        await ns.kubectl('rollout restart deployment/web')
        await ns.rolledOut('web')
        expect(await ns.kubectl('get deployment web -o jsonpath={.spec.template.metadata.annotations}')).toContain('kubectl.kubernetes.io/restartedAt')
        expect(await ns.kubectl('expose deployment web --port=8080 --target-port=80')).toBe('service/web exposed\n')
        expect(JSON.parse(await ns.kubectl('get service web -o json'))).toMatchObject({
          spec: { type: 'ClusterIP', ports: [{ port: 8080, targetPort: 80 }], selector: { app: 'web' } },
        })
      }))

    it('shows logs whole, by tail, by time, with timestamps, of the container before, and follows them', () =>
      inNamespace(cluster(), 'verbs-logs', async ns => {
        await ns.apply(
          pod('talker', {
            container: {
              command: [
                'sh',
                '-c',
                'trap "exit 0" TERM; for i in 1 2 3 4; do echo line $i; done; echo oops >&2; sleep 4; i=5; while [ ! -e /tmp/end ]; do echo line $i; i=$((i+1)); sleep 0.5; done',
              ],
            },
          }),
        )
        await ns.ready('app=talker', 1)
        await until('the first lines are there', 10, async () => (await ns.kubectl('logs talker')).includes('oops'))
        // The two outputs are two pipes: their order among each other is nobody's promise.
        expect((await ns.kubectl('logs talker')).replace('oops\n', '')).toMatch(/^line 1\nline 2\nline 3\nline 4\n/)
        expect(rows(await ns.kubectl('logs talker --timestamps')).find(line => line.endsWith(' line 1'))).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z line 1$/)
        const follow = running(cluster(), ns, ['logs', '-f', 'talker', '--tail=1'])
        await until('the log is followed', 15, () => follow.out().includes('line 7\n'))
        expect(follow.out()).not.toContain('line 1\n')
        expect(rows(await ns.kubectl('logs talker --tail=2'))).toHaveLength(2)
        const recent = await ns.kubectl('logs talker --since=2s')
        expect(recent).toMatch(/line \d+/)
        expect(recent).not.toContain('line 1\n')
        const first = (await ns.pod('talker')).status?.containerStatuses?.[0]?.containerID
        await ns.sh('talker', 'touch /tmp/end')
        expect(await follow.ended).toBe(0)
        await until('the container runs again', 30, async () => {
          const status = (await ns.pod('talker')).status?.containerStatuses?.[0]
          return status?.state?.running !== undefined && status.containerID !== first
        })
        expect(await ns.kubectl('logs talker --previous')).toContain('line 7')
        expect((await ns.attempt('logs talker -c nobody')).stderr).toContain('container nobody is not valid for pod talker')
      }))

    it('executes commands with standard input, output, error, a terminal, and their exit codes', () =>
      inNamespace(cluster(), 'verbs-exec', async ns => {
        await ns.apply(pod('box'))
        await ns.ready('app=box', 1)
        expect(await ns.sh('box', 'hostname')).toBe('box\n')
        expect(await ns.attempt(['exec', 'box', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'])).toMatchObject({
          code: 7,
          stdout: 'out\n',
          stderr: expect.stringContaining('err\n') as string,
        })
        const text = 'x'.repeat(300_000)
        expect(await ns.kubectl(['exec', '-i', 'box', '--', 'wc', '-c'], text)).toBe('300000\n')
        expect(await ns.kubectl(['exec', '-i', 'box', '--', 'cat'], text)).toBe(text)
        expect((await ns.attempt(['exec', 'box', '--', 'no-such-program'])).code).not.toBe(0)
        // `script` gives kubectl the terminal that -t wants.
        const terminal = spawn('script', ['-qec', 'stty rows 31 cols 97; $KUBECTL exec -it box -n verbs-exec -- sh', '/dev/null'], {
          env: { ...process.env, ...cluster().terminalVariables },
        })
        let shown = ''
        terminal.stdout.on('data', (data: Buffer) => {
          shown += data.toString()
        })
        await until('the prompt is there', 15, () => shown.includes('# '))
        // The size follows right after the start.
        terminal.stdin.write('until stty size 2>/dev/null; do sleep 0.1; done; test -t 0 && echo is-a-terminal; exit 3\n')
        const code = await new Promise(resolve => terminal.on('close', resolve))
        expect(shown).toMatch(/31 97\r\nis-a-terminal/)
        expect(code).toBe(3)
      }))

    it('attaches to the main process', () =>
      inNamespace(cluster(), 'verbs-attach', async ns => {
        await ns.apply(pod('reader', { container: { stdin: true, command: ['sh', '-c', 'while read -r line; do echo "heard $line"; done; sleep 1000'] } }))
        await ns.ready('app=reader', 1)
        const attached = running(cluster(), ns, ['attach', '-i', 'reader'])
        attached.process.stdin?.write('one\ntwo\n')
        await until('the answer is there', 15, () => attached.out().includes('heard one\nheard two\n'))
        await attached.end()
        expect(await ns.kubectl('logs reader')).toContain('heard two')
        expect(await ns.kubectl(['run', 'once', '-i', '--rm', '--restart=Never', `--image=${busyboxImage}`, '--', 'cat'], 'through\n')).toContain('through\n')
      }))

    it('copies files and folders in both directions', () =>
      inNamespace(cluster(), 'verbs-cp', async ns => {
        await ns.apply(pod('box'))
        await ns.ready('app=box', 1)
        const folder = await mkdtemp(join(tmpdir(), 'quarterdeck-cp-'))
        try {
          const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 7919) % 251))
          await writeFile(join(folder, 'file'), bytes)
          await ns.kubectl(['cp', join(folder, 'file'), 'box:/tmp/there'])
          expect((await ns.sh('box', 'wc -c < /tmp/there')).trim()).toBe('200000')
          await ns.kubectl(['cp', 'box:/tmp/there', join(folder, 'back')])
          expect((await readFile(join(folder, 'back'))).equals(bytes)).toBe(true)
          await ns.sh('box', 'mkdir /tmp/tree; echo a > /tmp/tree/a; mkdir /tmp/tree/deep; echo b > /tmp/tree/deep/b')
          await ns.kubectl(['cp', 'box:/tmp/tree', join(folder, 'tree')])
          expect(await readFile(join(folder, 'tree/deep/b'), 'utf8')).toBe('b\n')
        } finally {
          await rm(folder, { recursive: true, force: true })
        }
      }))

    it('forwards a local port to a pod and to a service, several requests at a time', () =>
      inNamespace(cluster(), 'verbs-forward', async ns => {
        await ns.apply(webDeployment('web'), service('web'))
        const [found] = await ns.ready('app=web', 1)
        for (const target of [`pod/${found?.metadata?.name}`, 'service/web']) {
          const forward = running(cluster(), ns, ['port-forward', target, ':80'])
          const port = await until('the port is forwarded', 15, () => /127\.0\.0\.1:(\d+) ->/.exec(forward.out())?.[1])
          const answers = await Promise.all(Array.from({ length: 5 }, async () => (await fetch(`http://127.0.0.1:${port}/`)).text()))
          expect(new Set(answers)).toEqual(new Set([`${found?.metadata?.name} 1\n`]))
          await forward.end()
        }
      }))

    it('debugs a running pod with an ephemeral container', () =>
      inNamespace(cluster(), 'verbs-debug', async ns => {
        await ns.apply(webDeployment('web'))
        const [found] = await ns.ready('app=web', 1)
        const name = found?.metadata?.name ?? ''
        await ns.kubectl(['debug', name, `--image=${busyboxImage}`, '--container=probe', '--profile=general', '--', 'sh', '-c', 'fetch http://127.0.0.1/; sleep 1000'])
        await until('the ephemeral container spoke', 20, async () => (await ns.kubectl(['logs', name, '-c', 'probe'])).includes(`${name} 1`))
        const status = await until('its status is there', 15, async () => (await ns.pod(name)).status?.ephemeralContainerStatuses?.[0])
        expect(status).toMatchObject({ name: 'probe', state: { running: {} } })
      }))

    it('explains kinds, lists them, answers auth can-i, waits, and lists events', () =>
      inNamespace(cluster(), 'verbs-about', async ns => {
        expect(await ns.kubectl('explain deployment.spec.strategy.rollingUpdate.maxSurge')).toMatch(/FIELD: maxSurge <IntOrString>/)
        expect(await ns.kubectl('explain machines.spec')).toContain('hostKeyFingerprint')
        const kinds = await ns.kubectl('api-resources')
        for (const kind of ['Pod', 'Deployment', 'EndpointSlice', 'ClusterRoleBinding', 'CertificateSigningRequest', 'SubjectAccessReview', 'Machine', 'PodMetrics'])
          expect(kinds).toMatch(new RegExp(` ${kind}\\n`))
        expect(await ns.kubectl('auth can-i delete pods')).toBe('yes\n')
        expect(await ns.attempt('auth can-i list secrets --as=system:serviceaccount:verbs-about:default')).toMatchObject({ code: 1, stdout: 'no\n' })
        await ns.kubectl('create deployment slow --image=quarterdeck.test/nowhere:1')
        expect((await ns.attempt('wait deployment/slow --for=condition=Available --timeout=1s')).stderr).toContain('timed out')
        const events = await until('the failure is an event', 30, async () => {
          const text = await ns.kubectl('events')
          return /Warning +Failed +Pod\/slow-.*quarterdeck\.test\/nowhere:1/.test(text) && text
        })
        expect(events).toMatch(/Normal +ScalingReplicaSet +Deployment\/slow/)
        await until('the pull is backed off', 30, async () => (await ns.kubectl('get pods')).includes('ImagePullBackOff'))
        expect(await ns.kubectl('get ns --show-labels')).toMatch(/kube-system +Active .*kubernetes\.io\/metadata\.name=kube-system/)
      }))

    it('reaches the API from within a pod by its service account', () =>
      inNamespace(cluster(), 'verbs-account', async ns => {
        await ns.kubectl('create role reader --verb=get --resource=configmaps')
        await ns.kubectl('create rolebinding reader --role=reader --serviceaccount=verbs-account:default')
        await ns.apply(pod('box'))
        await ns.ready('app=box', 1)
        const token = await ns.sh('box', 'cat /var/run/secrets/kubernetes.io/serviceaccount/token')
        expect(await ns.sh('box', 'cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; head -n 1 /var/run/secrets/kubernetes.io/serviceaccount/ca.crt')).toBe(
          'verbs-account-----BEGIN CERTIFICATE-----\n',
        )
        expect(await ns.kubectl(['auth', 'whoami', '--token', token, '-o', 'jsonpath={.status.userInfo.username}'])).toBe('system:serviceaccount:verbs-account:default')
        expect(
          (
            await ns.sh(
              'box',
              'cd /var/run/secrets/kubernetes.io/serviceaccount; fetch --cacert ca.crt -H "Authorization: Bearer $(cat token)" https://kubernetes.default.svc/api/v1/namespaces/$(cat namespace)/configmaps/kube-root-ca.crt',
            )
          ).trim(),
        ).toMatch(/"name": ?"kube-root-ca\.crt"/)
      }))

    it('shows what nodes and pods use', () =>
      inNamespace(cluster(), 'verbs-top', async ns => {
        await ns.apply(
          pod('busy', {
            container: { command: ['sh', '-c', 'dd if=/dev/zero of=/dev/shm/block bs=1M count=20; while :; do :; done'], resources: { limits: { cpu: '200m', memory: '64Mi' } } },
          }),
        )
        await ns.ready('app=busy', 1)
        const row = await until('the pod is measured', 60, async () =>
          rows(await ns.kubectl('top pod busy --no-headers')).find(line => /^busy +[1-9]\d+m +[2-6]\dMi *$/.test(line)),
        )
        // The limit holds: a loop would take a whole core.
        expect(Number(/(\d+)m/.exec(row)?.[1])).toBeLessThan(300)
        expect(rows(await ns.kubectl('top node --no-headers')).map(line => line.trim().replaceAll(/\d+/g, 'N').split(/ +/))).toEqual([
          ['one', 'Nm', 'N%', 'NMi', 'N%'],
          ['two', 'Nm', 'N%', 'NMi', 'N%'],
        ])
      }))

    it('installs a chart with helm, whose pods run, and takes it away again', () =>
      inNamespace(cluster(), 'verbs-helm', async ns => {
        const folder = await mkdtemp(join(tmpdir(), 'quarterdeck-chart-'))
        try {
          await writeFile(join(folder, 'Chart.yaml'), 'apiVersion: v2\nname: web\nversion: 0.1.0\n')
          const template = JSON.stringify({ ...webDeployment('web'), metadata: { name: '{{ .Release.Name }}-web' } }).replace(`"${webImage}"`, '"{{ .Values.image }}"')
          await mkdir(join(folder, 'templates'))
          await writeFile(join(folder, 'templates/deployment.yaml'), template)
          const installed = await cluster().commands.helm(['install', 'first', folder, '-n', ns.name, '--set', `image=${webImage}`, '--wait', '--timeout', '40s'])
          expect(installed.stderr + installed.stdout).toContain('STATUS: deployed')
          expect(await ns.ready('app=web', 1)).toHaveLength(1)
          expect((await cluster().commands.helm(['uninstall', 'first', '-n', ns.name, '--wait'])).code).toBe(0)
          await until('the pods are gone', 30, async () => (await ns.pods('app=web')).length === 0)
        } finally {
          await rm(folder, { recursive: true, force: true })
        }
      }))
  })
}

/** These change nodes, so they have the cluster for themselves. */
export function nodeVerbs(cluster: () => TestCluster): void {
  describe('kubectl with nodes', () => {
    it('cordons a node, drains it within the disruption budget, and uncordons it', () =>
      inNamespace(cluster(), 'verbs-drain', async ns => {
        await ns.kubectl('cordon two')
        await ns.apply(webDeployment('web', { replicas: 2 }))
        expect((await ns.ready('app=web', 2)).map(found => found.spec?.nodeName)).toEqual(['one', 'one'])
        expect(await ns.kubectl('get node two --no-headers')).toContain('Ready,SchedulingDisabled')
        await ns.kubectl('create pdb web --selector=app=web --min-available=2')
        await ns.kubectl('wait pdb/web --for=jsonpath={.status.currentHealthy}=2 --timeout=20s')
        await ns.kubectl('uncordon two')
        const refused = await ns.attempt('drain one --pod-selector=app=web --ignore-daemonsets --delete-emptydir-data --timeout=2s')
        expect(refused.code).not.toBe(0)
        expect(refused.stderr).toContain("Cannot evict pod as it would violate the pod's disruption budget")
        expect(await ns.ready('app=web', 2)).toHaveLength(2)
        await ns.kubectl(['patch', 'pdb', 'web', '--type=merge', '-p', '{"spec":{"minAvailable":1}}'])
        await ns.kubectl('wait pdb/web --for=jsonpath={.status.disruptionsAllowed}=1 --timeout=20s')
        let fewest = 2
        const count = async (): Promise<void> => {
          fewest = Math.min(fewest, (await ns.pods('app=web')).filter(one => one.metadata?.deletionTimestamp === undefined && isReady(one)).length)
        }
        await whileLooking(count, async () => {
          expect(await ns.kubectl('drain one --pod-selector=app=web --ignore-daemonsets --delete-emptydir-data --timeout=50s')).toContain('node/one drained')
          await ns.ready('app=web', 2)
        })
        const after = await ns.pods('app=web')
        expect(after.map(found => found.spec?.nodeName)).toEqual(['two', 'two'])
        expect(fewest).toBe(1)
        await ns.kubectl('uncordon one')
        expect(await ns.kubectl('get node one --no-headers')).not.toContain('SchedulingDisabled')
      }))
  })
}
