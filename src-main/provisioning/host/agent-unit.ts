/** The systemd unit of the agent: text of the code rather than a resource, so that every bundle carries it. */
import { agentPaths } from '../../api/agent.ts'

/**
 * Paths hold no characters that systemd would expand: digests and fixed words only. One arena for all threads
 * spares 3 MB of resident memory.
 */
export function agentUnit(runtimePath: string, agentPath: string): string {
  return `[Unit]
Description=Quarterdeck node agent
After=docker.service network-online.target
Wants=docker.service network-online.target
StartLimitIntervalSec=0

[Service]
Type=simple
Environment=MALLOC_ARENA_MAX=1
ExecStart=${runtimePath} --optimize-for-size --max-semi-space-size=2 --max-old-space-size=64 ${agentPath} ${agentPaths.config}
Restart=always
RestartSec=2
KillMode=process
Delegate=no
LimitNOFILE=65536
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
`
}
