/**
 * What hostile workloads may put into every text that the window shows: markup that would run `hit()`, terminal escapes,
 * characters that turn the direction of text around. Five hundred of them, and objects that carry them.
 */
import type { Seeded } from './objects.ts'

const breakouts = ['', '"><', "'><", '</textarea><', '</title><', '--><', ']]><', '</script><', '</style><', '</pre><', '\\"><']
const elements = [
  'script>hit()</script>',
  'img src=x onerror=hit()>',
  'svg onload=hit()>',
  'svg><script>hit()</script></svg>',
  'iframe srcdoc="<script>parent.hit()</script>">',
  'iframe src="javascript:parent.hit()">',
  'body onload=hit()>',
  'video src=x onerror=hit()>',
  'audio src onerror=hit()>',
  'details open ontoggle=hit()>',
  'input autofocus onfocus=hit()>',
  'object data="javascript:hit()">',
  'embed src="javascript:hit()">',
  'math><mtext><img src onerror=hit()></mtext></math>',
  'style>@import "javascript:hit()";</style>',
  'link rel=stylesheet href="javascript:hit()">',
  'meta http-equiv=refresh content="0;url=javascript:hit()">',
  'base href="javascript:hit()//">',
  'form action="javascript:hit()"><button>x</button></form>',
  'a href="javascript:hit()">click</a>',
  'template><script>hit()</script></template>',
  'noscript><img src onerror=hit()></noscript>',
]
const handlers = [
  'onclick',
  'onmouseover',
  'onpointerenter',
  'onanimationstart',
  'ontransitionend',
  'onwheel',
  'onscroll',
  'onkeydown',
  'onbeforetoggle',
  'oncontentvisibilityautostatechange',
]
const handled = ['div', 'p', 'xss', 'marquee', 'button', 'select', 'dialog open', 'li', 'td', 'custom-element']
const schemes = [
  'javascript:hit()',
  'JaVaScRiPt:hit()',
  'java\tscript:hit()',
  'java\nscript:hit()',
  ' javascript:hit()',
  '\u0001javascript:hit()',
  'data:text/html,<script>hit()</script>',
  'data:image/svg+xml,<svg onload=hit()>',
  'vbscript:hit()',
  'blob:hit',
  '//evil.example/x.js',
  '&#106;avascript:hit()',
]
const places = ['<a href="@">x</a>', '<img src="@">', '<use href="@">', '<a xlink:href="@">x</a>', 'url(@)', '[x](@)']
const templates = [
  "{{constructor.constructor('hit()')()}}",
  '{{hit()}}',
  '${hit()}',
  '#{hit()}',
  '<%= hit() %>',
  '<div v-html="hit()">',
  '<div v-on:click="hit()">',
  '<component :is="\'script\'">hit()</component>',
  '__proto__',
  'constructor',
  'toString',
  '%3Cscript%3Ehit()%3C/script%3E',
  '&lt;script&gt;hit()&lt;/script&gt;',
  '\\u003cscript\\u003ehit()\\u003c/script\\u003e',
  '<SCRIPT/SRC=data:,hit()></SCRIPT>',
  '<<script>hit()//<</script>',
  '<img\nsrc=x\nonerror=hit()>',
  '<img/src=x/onerror=hit()>',
  '<img src=`x` onerror=`hit()`>',
  '<sc\u0000ript>hit()</sc\u0000ript>',
  '＜script＞hit()＜/script＞',
  '+ADw-script+AD4-hit()+ADw-/script+AD4-',
]
const turned = ['\u202a', '\u202b', '\u202c', '\u202d', '\u202e', '\u2066', '\u2067', '\u2068', '\u2069', '\u200e', '\u200f', '\u061c'].flatMap(c => [
  `invoice${c}fdp.exe`,
  `${c}<img src onerror=hit()>`,
  `a${c}`,
  `${c}${c}b`,
])
const escapes = [
  '\u001b]0;title\u0007text',
  '\u001b]2;title\u001b\\text',
  '\u001b]8;;javascript:hit()\u0007link\u001b]8;;\u0007',
  '\u001b]52;c;aGl0\u0007',
  '\u001b]1337;File=inline=1:aGl0\u0007',
  '\u001b[2J\u001b[Hcleared',
  '\u001b[1A\u001b[2Koverwritten',
  '\u001b[31m<img src onerror=hit()>\u001b[0m',
  '\u001b[38;2;255;0;0m<script>hit()</script>',
  '\u001b[6n',
  '\u001b[c',
  '\u001bP+q544e\u001b\\',
  '\u001b[?1049h',
  '\u001b[5m\u001b[8mhidden',
  '\u009b31mred',
  '\u009d0;title\u009c',
  'bell\u0007',
  'back\b\b\b\bover',
  'line\rover',
  '\u001b',
  '\u001b[',
  '\u001b]',
  '\u007f\u0085\u008d',
]

/** All of them, each once. */
export const hostileTexts: readonly string[] = [
  ...new Set([
    ...breakouts.flatMap(breakout => elements.map(element => (breakout === '' ? `<${element}` : `${breakout}${element}`))),
    ...handlers.flatMap(handler => handled.map(element => `<${element} ${handler}=hit() style="position:fixed;inset:0">x`)),
    ...places.flatMap(place => schemes.map(scheme => place.replace('@', scheme))),
    ...templates,
    ...turned,
    ...escapes,
  ]),
]

/** Log lines hold no line feed. */
export const hostileLines: readonly string[] = hostileTexts.map(text => text.replaceAll('\n', ' '))

/** The sign of a text that was shown as text. */
export const shownSign = 'hit()'

/** Objects whose every free text is hostile: a pod, a node, a deployment, a machine, a config map, a secret, events. */
export function hostileObjects(): Seeded[] {
  const text = (n: number): string => hostileTexts[n % hostileTexts.length] ?? ''
  const at = '2026-01-01T00:00:00Z'
  const some = (from: number, count: number): Record<string, string> => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, text(from + i)]))
  const conditions = (types: readonly string[], from: number): object[] =>
    types.map((type, i) => ({ type, status: 'False', reason: 'Hostile', message: text(from + i * 37), lastTransitionTime: at, lastUpdateTime: at, lastHeartbeatTime: at }))
  const annotations = some(0, 60)
  const labels = { app: 'hostile' }
  const container = { name: 'app', image: `x/${text(1)}`.trim(), env: Object.entries(some(60, 40)).map(([name, value]) => ({ name, value })), command: [text(3)], args: [text(4)] }
  const spec = { containers: [container] }
  return [
    {
      object: { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', name: 'hostile-0', labels, annotations }, spec: { ...spec, nodeName: 'hostile-node' } },
      status: {
        phase: 'Running',
        message: text(5),
        containerStatuses: [
          {
            name: 'app',
            image: text(6),
            imageID: '',
            ready: false,
            restartCount: 3,
            state: { waiting: { reason: 'CrashLoopBackOff', message: text(7) } },
            lastState: { terminated: { exitCode: 1, reason: text(8), message: text(9), finishedAt: at, startedAt: at } },
          },
        ],
        conditions: conditions(['Ready', 'ContainersReady'], 100),
      },
    },
    {
      object: { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', name: 'hostile-1', labels }, spec },
      status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: text(11) }] },
    },
    {
      object: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { namespace: 'shop', name: 'hostile', annotations },
        spec: { replicas: 2, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
      },
      status: { replicas: 2, conditions: conditions(['Available', 'Progressing', 'ReplicaFailure'], 200) },
    },
    {
      object: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'hostile-node', annotations }, spec: {} },
      status: {
        conditions: conditions(['Ready', 'DiskPressure'], 300),
        nodeInfo: Object.fromEntries(
          ['osImage', 'kernelVersion', 'containerRuntimeVersion', 'kubeletVersion', 'architecture', 'operatingSystem', 'machineID', 'systemUUID', 'bootID', 'kubeProxyVersion'].map(
            (name, i) => [name, text(320 + i * 11)],
          ),
        ),
      },
    },
    {
      object: { apiVersion: 'infra.quarterdeck.app/v1alpha1', kind: 'Machine', metadata: { name: 'hostile-machine' }, spec: { address: '192.168.1.99', secretName: 'x' } },
      status: {
        phase: 'Failed',
        reason: 'CommandFailed',
        message: text(400),
        facts: { prettyName: text(401) },
        steps: [{ name: 's', title: text(402), state: 'failed', message: text(403), changes: [text(404)] }],
      },
    },
    { object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'shop', name: 'hostile', annotations }, data: some(0, hostileTexts.length) } },
    {
      object: {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { namespace: 'shop', name: 'hostile' },
        data: { x: Buffer.from(text(10)).toString('base64'), y: Buffer.from(hostileTexts.join(' ')).toString('base64') },
      },
    },
    ...hostileTexts.slice(0, 120).map((message, n): Seeded => ({
      object: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { namespace: 'shop', name: `hostile-${n}` },
        involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'hostile-0' },
        type: 'Warning',
        reason: text(n + 200).slice(0, 60),
        message,
        count: 1,
        firstTimestamp: at,
        lastTimestamp: new Date().toISOString().replace(/\.\d+Z/, 'Z'),
        source: { component: text(n + 300).slice(0, 60) },
      } as unknown as Seeded['object'],
    })),
  ]
}
