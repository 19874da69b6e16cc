/**
 * Which public exports have no docstring.
 *
 * Asked of each export: a docstring; of each member of its interfaces and classes too, unless what it overrides has one; of each
 * parameter of its functions: a `@param`, its name in the docstring, or a type of ours, which has its own docstring. Members
 * of a type written in place are explained by whoever has that type.
 */
import { type DeclarationReflection, type ProjectReflection, ReflectionKind, type SignatureReflection } from "typedoc";

/** One line for each, with file and line. */
export function undocumented(project: ProjectReflection): string[] {
  return (project.children ?? []).flatMap((entry) => (entry.children ?? []).flatMap((one) => missing(one)));
}

function missing(one: DeclarationReflection): string[] {
  if (one.isReference() || one.flags.isExternal) return [];
  const where = one.sources?.[0];
  const problem = (what: string) =>
    `${where?.fileName}:${where?.line} ${one.getFullName()}: ${what} (${ReflectionKind.singularString(one.kind)})`;
  const signatures = one.signatures ?? [];
  const found: string[] = [];
  if (!isExplained(one)) found.push(problem("no docstring"));
  if (one.kindOf(ReflectionKind.Function)) {
    for (const signature of signatures) {
      const unsaid = (signature.parameters ?? []).filter((parameter) => !saidIn(signature, parameter));
      found.push(...unsaid.map(({ name }) => problem(`nothing on the parameter ${name}`)));
    }
  }
  return [...found, ...membersOf(one).flatMap((member) => missing(member))];
}

/** Those that a reader sees on the page of an export: what is inherited is explained where it comes from. */
function membersOf(one: DeclarationReflection): DeclarationReflection[] {
  const inPlace = one.type?.type === "reflection" && one.kindOf(ReflectionKind.TypeAlias) ? one.type.declaration : one;
  return (inPlace.children ?? []).filter(
    (member) => member.inheritedFrom === undefined && !member.kindOf(ReflectionKind.Constructor),
  );
}

function isExplained(one: DeclarationReflection): boolean {
  const inPlace = one.type?.type === "reflection" ? (one.type.declaration.signatures ?? []) : [];
  const signatures = [...(one.signatures ?? []), ...inPlace, one.getSignature, one.setSignature];
  return one.hasComment() || signatures.some((signature) => signature?.hasComment());
}

type Parameter = NonNullable<SignatureReflection["parameters"]>[number];

function saidIn(signature: SignatureReflection, parameter: Parameter): boolean {
  if (parameter.hasComment()) return true;
  const { type } = parameter;
  if (type?.type === "reference" && type.reflection !== undefined) return true;
  const comment = signature.comment ?? signature.parent.comment;
  const parts = [comment?.summary ?? [], ...(comment?.blockTags ?? []).map(({ content }) => content)].flat();
  const text = parts.map((part) => part.text).join("");
  return text.split(/\W+/).includes(parameter.name);
}
