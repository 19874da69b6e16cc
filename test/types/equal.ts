/** Compiles only when both types are the same, `any` included. */
// oxlint-disable typescript/no-unnecessary-type-parameters -- the comparison is made of them
export function equal<A, B>(
  ..._proof: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : ["the types differ"]
): void {
  // The proof is in the type.
}
