/** `breakwater chaos run | list | replay`. */
import path from "node:path";
import { ChaosError, type ProviderFactory, readyScenarios, type RunRecord, runScenario } from "@breakwater/chaos";
import { type ChaosArguments, chaosArguments, seedOf } from "./arguments.ts";
import { prepareOutputs, takesStandardOutput, writeOutputs } from "./outputs.ts";
import { Progress } from "./progress.ts";
import { type NamedScenario, type NamedSubject, providerOf, scenariosOf, subjectOf } from "./sources.ts";
import { keep, keptWith } from "./store.ts";
import { CHAOS_HELP, EXIT, UsageError } from "./usage.ts";

/** @returns the exit code. @throws UsageError */
export async function chaosCommand([command, ...rest]: readonly string[]): Promise<number> {
  const given = chaosArguments(rest);
  if (command === "--help" || command === "-h" || command === "help" || given.help) {
    process.stdout.write(CHAOS_HELP);
    return EXIT.passed;
  }
  switch (command) {
    case "run":
      return run(given);
    case "list":
      if (given.scenarios.length > 0)
        throw new UsageError(`chaos list takes no arguments, got "${given.scenarios[0]}"`);
      return list();
    case "replay":
      return replay(given);
    case undefined:
      process.stderr.write(CHAOS_HELP);
      return EXIT.usage;
    default:
      throw new UsageError(`there is no command "chaos ${command}"; there are run, list and replay`);
  }
}

async function list(): Promise<number> {
  const all = await readyScenarios();
  const width = Math.max(...all.map(({ name }) => name.length));
  for (const { name, description } of all) process.stdout.write(`${name.padEnd(width)}  ${description}\n`);
  return EXIT.passed;
}

async function replay(given: ChaosArguments): Promise<number> {
  const [seedGiven, ...scenarios] = given.scenarios;
  if (seedGiven === undefined)
    throw new UsageError("chaos replay needs the seed of a run: chaos replay SEED [SCENARIO]");
  if (given.said.seed || given.seeds !== 1) throw new UsageError("chaos replay takes its seed as the first argument");
  const seed = seedOf("SEED", seedGiven);
  if (scenarios.length > 1) throw new UsageError("chaos replay takes one scenario");
  const wanted = scenarios.flatMap((scenario) => [scenario, path.resolve(scenario)]);
  const kept = (await keptWith(given.store, seed)).filter(
    ({ run: one }) =>
      (wanted.length === 0 || wanted.includes(one.scenario)) &&
      (!given.said.against || given.against.includes(one.against)),
  );
  const [one, ...others] = kept;
  if (others.length > 0 && !given.said.against) {
    const which = kept.map(({ run: each }) => `${each.scenario} --against ${each.against}`).join(", ");
    throw new UsageError(`several runs with the seed ${seed} are kept in ${given.store}: say which, of ${which}`);
  }
  if (one === undefined && scenarios.length === 0) {
    const why = `no run with the seed ${seed} is kept in ${given.store}`;
    throw new UsageError(`${why}; name the scenario: chaos replay ${seed} SCENARIO`);
  }
  if (one !== undefined) process.stderr.write(`kept in ${one.file}\n`);
  const against = given.said.against || one === undefined ? given.against : [one.run.against];
  const image = given.image ?? one?.run.image;
  return run({
    ...given,
    seed,
    against,
    image,
    scenarios: scenarios.length > 0 ? scenarios : [one?.run.scenario ?? ""],
  });
}

async function run(given: ChaosArguments): Promise<number> {
  if (given.scenarios.length === 0)
    throw new UsageError(`chaos run needs a scenario; "breakwater chaos list" names them`);
  // All that can be wrong is found before the first server is started.
  const scenarios = await scenariosOf(given.scenarios);
  const subjects = await Promise.all(given.against.map(subjectOf));
  const provider = given.image === undefined ? undefined : await providerOf(given.image);
  await prepareOutputs(given);
  const out = takesStandardOutput(given) ? process.stderr : process.stdout;
  const progress = new Progress({ out, quiet: given.quiet });
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Error("interrupted"));
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  const records: RunRecord[] = [];
  let problem: string | undefined;
  try {
    for (const scenario of scenarios) {
      for (let seed = given.seed; seed < given.seed + given.seeds; seed++) {
        for (const subject of subjects)
          records.push(await once({ scenario, subject, provider, seed, given, progress, signal: interrupted.signal }));
      }
    }
  } catch (error) {
    problem = interrupted.signal.aborted ? "interrupted" : `could not be run: ${told(error)}`;
    progress.line(problem);
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
  await writeOutputs(given, records, problem);
  const having = (verdict: RunRecord["verdict"]): number => records.filter((one) => one.verdict === verdict).length;
  const [passed, violated, broken] = [having("passed"), having("violated"), having("broken")];
  progress.line(`${records.length} runs: ${passed} passed, ${violated} violated, ${broken} could not be done`);
  if (interrupted.signal.aborted) return EXIT.interrupted;
  if (violated > 0) return EXIT.violated;
  return broken > 0 || problem !== undefined ? EXIT.notRun : EXIT.passed;
}

interface Once {
  readonly scenario: NamedScenario;
  readonly subject: NamedSubject;
  readonly provider: ProviderFactory | undefined;
  readonly seed: number;
  readonly given: ChaosArguments;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

async function once({ scenario, subject, provider, seed, given, progress, signal }: Once): Promise<RunRecord> {
  const { name } = scenario.value;
  progress.begins(name, seed);
  const record = await runScenario(scenario.value, {
    subject: subject.value,
    seed,
    signal,
    ...(provider === undefined ? {} : { provider }),
    onProgress: (stands) => progress.stands(stands),
    onStep: (step) => progress.step(step),
  });
  const { verdict } = record;
  const place = scenario.file ?? name;
  const stored = {
    seed,
    scenario: place,
    against: subject.given,
    ...(given.image === undefined ? {} : { image: given.image }),
    verdict,
    ...(verdict === "passed" ? {} : { record }),
  };
  const file = await keep(
    given.store,
    stored,
    given.against.length === 1 ? name : `${name}-${path.parse(subject.given).name}`,
  ).catch((error: unknown) => {
    progress.line(`the run could not be kept for replay: ${told(error)}`);
    return undefined;
  });
  const kept = file === undefined ? "" : `, kept in ${file}`;
  const against = given.against.length === 1 ? "" : ` --against ${subject.given}`;
  progress.ended(record, `replay: breakwater chaos replay ${seed} ${scenario.given}${against}${kept}`);
  return record;
}

function told(error: unknown): string {
  // These name what was refused or did not happen; where in our code says nothing to who reads it.
  if (error instanceof ChaosError || error instanceof RangeError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
