/** Dragging an edge: gives the pixels moved since it was taken. */
export function startDrag(event: PointerEvent, onMove: (dx: number, dy: number) => void): void {
  event.preventDefault()
  const { clientX, clientY } = event
  const move = (e: PointerEvent): void => {
    onMove(e.clientX - clientX, e.clientY - clientY)
  }
  const stop = (): void => {
    window.removeEventListener('pointermove', move)
    window.removeEventListener('pointerup', stop)
  }
  window.addEventListener('pointermove', move)
  window.addEventListener('pointerup', stop)
}
