/**
 * Runs `count` like actions in batches of 1, 2, 4 …: when the first fails (quota, a webhook), the others are spared.
 * Resolves with the number that succeeded and the first fault.
 */
export async function slowStart(count: number, action: (index: number) => Promise<void>): Promise<{ done: number; fault: unknown }> {
  let done = 0
  for (let size = 1; done < count; size *= 2) {
    const batch = Math.min(size, count - done)
    const results = await Promise.allSettled(Array.from({ length: batch }, (_, i) => action(done + i)))
    const failed = results.find(r => r.status === 'rejected')
    done += results.filter(r => r.status === 'fulfilled').length
    if (failed) return { done, fault: failed.reason }
  }
  return { done, fault: undefined }
}
