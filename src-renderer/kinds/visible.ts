/** Untrusted text made safe to read: control and direction-changing characters become visible signs; colour sequences (CSI … m) stay. */
export function visible(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are the characters to be replaced
  const plain = text.replace(/\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?/g, '').replace(/\u001b\[[0-9;?]*[A-Za-ln-z]/g, '')
  return plain
    .replace(/[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f]/g, c => String.fromCharCode(0x2400 + (c.charCodeAt(0) === 0x7f ? 0x21 : c.charCodeAt(0))))
    .replace(/[\u202a-\u202e\u2066-\u2069\u200e\u200f]/g, '·')
}
