/** Why a pod waits, crashes or is not ready, and why a rollout stands still: findings in plain words with the next step. Pure. */
import type { Tone } from '../../kinds/tone.ts'

export interface Finding {
  tone: Tone
  title: string
  /** What the cluster says, in its words. */ cause: string
  /** What to do. */ next: string
  /** The container whose last lines tell more. */ container?: string
  /** Its lines are those before its restart. */ previous?: boolean
  /** Every node's refusal is worth a look. */ placement?: boolean
}

export interface WhyEvent {
  type?: string
  reason?: string
  message?: string
}
interface Ended {
  exitCode: number
  signal?: number
  reason?: string
  message?: string
}
interface ContainerStatus {
  name: string
  image?: string
  ready?: boolean
  started?: boolean
  restartCount?: number
  state?: { waiting?: { reason?: string; message?: string }; running?: { startedAt?: string }; terminated?: Ended }
  lastState?: { terminated?: Ended }
}
interface Condition {
  type: string
  status: string
  reason?: string
  message?: string
}
export interface WhyPod {
  metadata: { deletionTimestamp?: string; finalizers?: string[]; creationTimestamp?: string }
  spec?: {
    nodeName?: string
    schedulingGates?: { name: string }[]
    containers?: { name: string; image?: string; resources?: { limits?: Record<string, string> } }[]
    initContainers?: { name: string; image?: string; restartPolicy?: string }[]
    readinessGates?: { conditionType: string }[]
  }
  status?: { phase?: string; reason?: string; message?: string; conditions?: Condition[]; initContainerStatuses?: ContainerStatus[]; containerStatuses?: ContainerStatus[] }
}

/** A pod may take this long for what every pod needs. */
const patienceMs = 30_000

/** Newest events first. Nothing when there is nothing to explain. */
export function whyPod(pod: WhyPod, events: readonly WhyEvent[], nowMs: number): Finding[] {
  const age = nowMs - Date.parse(pod.metadata.creationTimestamp ?? '')
  if (pod.metadata.deletionTimestamp !== undefined) return ending(pod, nowMs)
  const { phase, reason, message } = pod.status ?? {}
  if (phase === 'Succeeded') return []
  if (phase === 'Failed' && reason !== undefined)
    return [
      {
        tone: 'bad',
        title: reason === 'Evicted' ? 'The node put it out' : `It failed: ${reason}`,
        cause: message ?? '',
        next: reason === 'Evicted' ? 'The node was short of what the message names: free some there, or give the pod a request so that it is placed where there is room.' : '',
      },
    ]
  if (!pod.spec?.nodeName) return unplaced(pod, age)
  const found = [...inits(pod), ...(pod.status?.containerStatuses ?? []).flatMap(status => ofContainer(pod, status, events))]
  if (found.length > 0) return found
  return notStarted(pod, events, age)
}

function ending(pod: WhyPod, nowMs: number): Finding[] {
  const over = nowMs - Date.parse(pod.metadata.deletionTimestamp ?? '')
  if (over < patienceMs) return []
  const { finalizers } = pod.metadata
  return [
    {
      tone: 'warn',
      title: 'It is being deleted, longer than it should take',
      cause: finalizers?.length
        ? `It waits for ${finalizers.join(', ')}.`
        : `Its grace period ended, and the agent of ${pod.spec?.nodeName ?? 'its node'} has not said that it is gone.`,
      next: finalizers?.length
        ? 'Whoever set the finalizer must finish; look at that controller.'
        : 'Look whether the node is Ready. If its host is dead, delete the pod without grace period.',
    },
  ]
}

function unplaced(pod: WhyPod, age: number): Finding[] {
  const gates = pod.spec?.schedulingGates ?? []
  if (gates.length > 0)
    return [
      {
        tone: 'warn',
        title: 'It is held back from scheduling',
        cause: `Gates: ${gates.map(g => g.name).join(', ')}.`,
        next: 'Whoever set the gate takes it away when the pod may be placed.',
      },
    ]
  const scheduled = pod.status?.conditions?.find(c => c.type === 'PodScheduled')
  if (scheduled?.status === 'False')
    return [
      {
        tone: 'bad',
        title: 'No node can take it',
        cause: scheduled.message ?? scheduled.reason ?? '',
        next: 'Add a node, free what is missing, or change what the pod asks for.',
        placement: true,
      },
    ]
  return age > patienceMs
    ? [
        {
          tone: 'warn',
          title: 'The scheduler has not looked at it yet',
          cause: '',
          next: 'Look whether another scheduler is named in spec.schedulerName, and whether the control plane is busy.',
          placement: true,
        },
      ]
    : []
}

/** The init container that holds the others up. */
function inits(pod: WhyPod): Finding[] {
  const sidecars = new Set((pod.spec?.initContainers ?? []).filter(c => c.restartPolicy === 'Always').map(c => c.name))
  const statuses = pod.status?.initContainerStatuses ?? []
  const at = statuses.find(s => !sidecars.has(s.name) && s.state?.terminated?.exitCode !== 0)
  if (!at) return statuses.filter(s => sidecars.has(s.name)).flatMap(s => ofContainer(pod, s, []))
  const found = ofContainer(pod, at, [])
  if (found.length > 0) return found
  return at.state?.running
    ? [
        {
          tone: 'busy',
          title: `Its init container ${at.name} is still running`,
          cause: 'The containers start when it ends with exit code 0.',
          next: 'Look at its log for what it waits for.',
          container: at.name,
        },
      ]
    : []
}

const imageReasons: ReadonlySet<string> = new Set([
  'ImagePullBackOff',
  'ErrImagePull',
  'ErrImageNeverPull',
  'InvalidImageName',
  'ImageInspectError',
  'RegistryUnavailable',
  'SignatureValidationFailed',
])
const configReasons: ReadonlySet<string> = new Set(['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError', 'StartError', 'ContainerCannotRun'])

function ofContainer(pod: WhyPod, status: ContainerStatus, events: readonly WhyEvent[]): Finding[] {
  const { waiting, running, terminated } = status.state ?? {}
  const ended = terminated ?? status.lastState?.terminated
  if (waiting && imageReasons.has(waiting.reason ?? '')) return [imageFinding(pod, status, waiting, events)]
  if (waiting && configReasons.has(waiting.reason ?? ''))
    return [
      {
        tone: 'bad',
        title: `Container ${status.name} cannot be made`,
        cause: waiting.message ?? waiting.reason ?? '',
        next: 'The message names what is missing: a config map, a secret, a key, a volume or a command.',
      },
    ]
  if ((waiting?.reason === 'CrashLoopBackOff' || (terminated && terminated.exitCode !== 0)) && ended) return [crash(pod, status, ended, terminated === undefined, events)]
  if (waiting?.reason === 'CrashLoopBackOff')
    return [{ tone: 'bad', title: `Container ${status.name} ends again and again`, cause: waiting.message ?? '', next: 'Look at its log.', container: status.name, previous: true }]
  if (running && !status.ready) return probeFinding(status, events)
  return []
}

function imageFinding(pod: WhyPod, status: ContainerStatus, waiting: { reason?: string; message?: string }, events: readonly WhyEvent[]): Finding {
  const image = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find(c => c.name === status.name)?.image ?? status.image ?? ''
  // The back-off says nothing of the cause; the failed pull before it does.
  const failed = events.find(e => e.reason === 'Failed' && e.message !== undefined && /pull/i.test(e.message) && !/Error: ImagePullBackOff/.test(e.message))
  return {
    tone: 'bad',
    title: waiting.reason === 'InvalidImageName' ? `${image} is not the name of an image` : `The image ${image} cannot be had`,
    cause: failed?.message ?? waiting.message ?? waiting.reason ?? '',
    next: 'Correct the name, add credentials by imagePullSecrets, or push the image to the nodes from here (Push an image), with imagePullPolicy IfNotPresent.',
  }
}

function crash(pod: WhyPod, status: ContainerStatus, ended: Ended, isBefore: boolean, events: readonly WhyEvent[]): Finding {
  const times = status.restartCount ?? 0
  const probe = events.find(e => e.reason === 'Unhealthy' && /^(Liveness|Startup) probe/.test(e.message ?? ''))
  const limit = pod.spec?.containers?.find(c => c.name === status.name)?.resources?.limits?.['memory']
  const base = { tone: 'bad' as const, container: status.name, previous: isBefore && times > 0 }
  const again = times > 0 ? `, ${times} ${times === 1 ? 'restart' : 'restarts'} so far` : ''
  if (ended.reason === 'OOMKilled')
    return {
      ...base,
      title: `Container ${status.name} used more memory than it may`,
      cause: `The kernel killed it (exit code ${ended.exitCode})${limit ? `; its limit is ${limit}` : '; it has no limit, so the node itself ran out'}${again}.`,
      next: limit ? 'Raise its memory limit, or find what it keeps in memory.' : 'Give it a limit and a request, or move it to a node with more memory.',
    }
  if (probe && (ended.exitCode === 137 || ended.exitCode === 143))
    return {
      ...base,
      title: `Container ${status.name} is restarted because its probe fails`,
      cause: `${probe.message ?? ''}${again}`,
      next: 'Look whether it listens where the probe asks, and give it more time: initialDelaySeconds, a startup probe, failureThreshold.',
    }
  return {
    ...base,
    title: `Container ${status.name} ends with exit code ${ended.exitCode}`,
    cause: `${exitMeaning(ended)}${ended.message ? `: ${ended.message}` : ''}${again}.`,
    next: ended.exitCode === 0 ? 'What it runs must go on running; a task that ends belongs into a Job.' : 'Its last lines usually say why.',
  }
}

const signals: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM',
}

/** What an exit code commonly means. */
export function exitMeaning(ended: { exitCode: number; signal?: number }): string {
  const { exitCode } = ended
  if (exitCode === 0) return 'It ended by itself, without an error'
  if (exitCode === 126) return 'Its command is not executable'
  if (exitCode === 127) return 'Its command is not in the image'
  const signal = ended.signal ?? (exitCode > 128 && exitCode < 160 ? exitCode - 128 : 0)
  if (signal > 0) return `It was ended by ${signals[signal] ?? `signal ${signal}`}`
  return 'It ended with an error of its own'
}

function probeFinding(status: ContainerStatus, events: readonly WhyEvent[]): Finding[] {
  const kind = status.started === false ? 'Startup' : 'Readiness'
  const event = events.find(e => e.reason === 'Unhealthy' && e.message?.startsWith(`${kind} probe`)) ?? events.find(e => e.reason === 'Unhealthy')
  if (!event) return []
  return [
    {
      tone: 'warn',
      title: `Container ${status.name} runs, but is not ready`,
      cause: event.message ?? '',
      next: 'No service sends it anything until its probe succeeds. Look whether it listens where the probe asks.',
      container: status.name,
    },
  ]
}

const setupReasons: ReadonlySet<string> = new Set([
  'FailedMount',
  'FailedAttachVolume',
  'FailedCreatePodSandBox',
  'FailedMapVolume',
  'NetworkNotReady',
  'FailedSync',
  'FailedPostStartHook',
])

function notStarted(pod: WhyPod, events: readonly WhyEvent[], age: number): Finding[] {
  const gate = (pod.spec?.readinessGates ?? []).find(g => pod.status?.conditions?.find(c => c.type === g.conditionType)?.status !== 'True')
  if (gate)
    return [
      { tone: 'warn', title: 'A readiness gate is not open', cause: `The condition ${gate.conditionType} is not True.`, next: 'Whoever sets that condition has not done so yet.' },
    ]
  const waits = pod.status?.phase === 'Pending'
  const event = waits ? events.find(e => setupReasons.has(e.reason ?? '')) : undefined
  if (event)
    return [
      {
        tone: 'bad',
        title: event.reason === 'FailedMount' || event.reason === 'FailedAttachVolume' ? 'A volume cannot be had' : 'It cannot be set up on its node',
        cause: event.message ?? '',
        next: 'The message names what is missing. It is tried again by itself.',
      },
    ]
  return waits && age > patienceMs
    ? [{ tone: 'warn', title: `${pod.spec?.nodeName ?? 'Its node'} has not started it yet`, cause: '', next: 'Look whether the node is Ready, and at the events.' }]
    : []
}

interface Workload {
  kind?: string
  metadata: { generation?: number }
  spec?: { replicas?: number; paused?: boolean; minReadySeconds?: number; podManagementPolicy?: string }
  status?: {
    observedGeneration?: number
    replicas?: number
    readyReplicas?: number
    updatedReplicas?: number
    availableReplicas?: number
    desiredNumberScheduled?: number
    numberReady?: number
    conditions?: Condition[]
  }
}

/** Why a workload is not complete: what it says itself. What its pods say is whyPod's part. */
export function whyWorkload(workload: Workload): Finding[] {
  const { spec, status } = workload
  const wanted = status?.desiredNumberScheduled ?? spec?.replicas ?? 1
  const ready = status?.numberReady ?? status?.readyReplicas ?? 0
  const condition = (type: string): Condition | undefined => status?.conditions?.find(c => c.type === type)
  const found: Finding[] = []
  const failure = condition('ReplicaFailure')
  if (failure?.status === 'True')
    found.push({
      tone: 'bad',
      title: 'Its pods cannot be made',
      cause: failure.message ?? failure.reason ?? '',
      next: 'The message names the rule: a quota, a policy, or a field that the server refuses.',
    })
  const progressing = condition('Progressing')
  if (progressing?.status === 'False' && progressing.reason === 'ProgressDeadlineExceeded')
    found.push({ tone: 'bad', title: 'The rollout stands still', cause: progressing.message ?? '', next: 'Mend what its new pods say below, or roll back to the revision before.' })
  if (spec?.paused === true && (status?.updatedReplicas ?? 0) < wanted)
    found.push({
      tone: 'warn',
      title: 'The rollout is paused',
      cause: `${status?.updatedReplicas ?? 0} of ${wanted} pods are of the new revision.`,
      next: 'Set spec.paused to false to go on.',
    })
  if (found.length === 0 && ready < wanted) {
    const inOrder = workload.kind === 'StatefulSet' && spec?.podManagementPolicy !== 'Parallel'
    found.push({
      tone: 'warn',
      title: `${ready} of ${wanted} pods are ready`,
      cause: inOrder ? 'Its pods are made one after the other: the first that is not ready holds up the rest.' : '',
      next: '',
    })
  }
  return found
}
