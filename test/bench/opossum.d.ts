/** The little of opossum that is measured; it brings no types of its own. */
declare module "opossum" {
  export default class CircuitBreaker<Given extends unknown[], Result> {
    constructor(call: (...given: Given) => Promise<Result>, options: { readonly timeout?: number });
    fire(...given: Given): Promise<Result>;
    shutdown(): void;
  }
}
