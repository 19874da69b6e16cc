/** Where pages are: addresses follow the checkout, so that they stay when a title changes. */
import path from "node:path";
import { KindRouter, type Reflection, ReflectionKind } from "typedoc";
import { fileOf } from "./api.ts";

/** `guides/…`, `policies/…`, `packages/…`, `examples/…`, and `api/<entry point>/<kind>/…` for exports. */
export class Addresses extends KindRouter {
  protected override getIdealBaseName(reflection: Reflection): string {
    if (reflection.isDocument()) return addressOf(fileOf(reflection));
    const names: string[] = [];
    let one: Reflection = reflection;
    for (; !one.kindOf(ReflectionKind.Module) && one.parent !== undefined; one = one.parent) names.unshift(one.name);
    const entry = `api/${one.name.replace("@breakwater/", "")}`;
    if (names.length === 0) return entry;
    return `${entry}/${this.directories.get(reflection.kind) ?? "members"}/${names.join(".")}`;
  }
}

/** A folder's own page has the folder's name, and so stands beside the folder. */
function addressOf(file: string): string {
  const name = path.basename(file, ".md");
  const place = name === "README" ? path.dirname(file) : path.join(path.dirname(file), name);
  const address = place
    .replace(/^docs\b/, "guides")
    .replace(/^packages\/policies\/src\//, "policies/")
    .replace("/src/", "/");
  if (address === "guides") return "guides/index";
  return address.includes("/") ? address : address.toLowerCase();
}
