/** Builds the window of the project that this file belongs to, as a program. */
import { projectDir } from '../base/node/project-dir.ts'
import { buildWindow } from './build-window.ts'

await buildWindow(projectDir, () => {})
