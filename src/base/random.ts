/** Bytes that nobody can guess (getrandom(2)), by the runtime's own Web Crypto, which needs no module. */
export function randomBytes(count: number): Buffer {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(count)));
}
