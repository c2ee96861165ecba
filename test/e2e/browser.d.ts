// What functions that tests hand to the page use of the browser. The type check of the tests has Node's types alone.
declare const location: { hash: string }
declare class DataTransfer {
  readonly items: { add(file: File): void }
}
