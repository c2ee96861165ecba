/** The phases in their order; removal undoes them from last to first. A new phase is one file and one word here. */
import { installDocker } from './install-docker.ts'
import { installPackages } from './install-packages.ts'
import { kernelSettings } from './kernel-settings.ts'
import { nodeReady } from './node-ready.ts'
import type { Phase } from './phase.ts'
import { prepareDirectories } from './prepare-directories.ts'
import { startAgent } from './start-agent.ts'
import { uploadAgent } from './upload-agent.ts'
import { uploadRuntime } from './upload-runtime.ts'
import { writeConfig } from './write-config.ts'

export const phases: readonly Phase[] = [prepareDirectories, installPackages, installDocker, kernelSettings, uploadRuntime, uploadAgent, writeConfig, startAgent, nodeReady]
