/** Prints the digest of one simulation: what two processes have to agree on. */
import { simulate } from "@breakwater/chaos/simulate";
import { recommended } from "./stacks.ts";

const { digest } = await simulate({ stack: recommended(), seed: Number(process.argv[2]) });
process.stdout.write(`${digest}\n`);
