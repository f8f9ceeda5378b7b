/** Methods of what programs keep with a mob (spec: mob 6.3, 6.5, 11.5): labels of the mob, of runs, of members, and values of their own. */
import { z } from "zod";
import { labels as labelsOf } from "../definition/schema.ts";
import { mobError } from "../errors.ts";
import type { Labels } from "../roster/kept.ts";
import { getMeta, setMeta, type Meta } from "../sessions/meta.ts";
import { rowOf } from "./member-methods.ts";
import { method, type Call, type Method, type Served } from "./method.ts";
import { json } from "./results.ts";
import { id } from "./schemas.ts";

const scope = z.enum(["mob", "run", "member"]);
const place = z.strictObject({ scope, id: id.optional() });
const result = z.object({ scope, id: z.string().exactOptional(), labels: z.record(z.string(), z.string()) });

interface Place {
  readonly scope: z.output<typeof scope>;
  readonly id?: string | undefined;
}

const LABEL_METHODS: readonly Method[] = [
  method({
    name: "labels/get", writes: false, action: "mob.view", summary: "Labels of the mob, a run or a member.", params: place, result,
    about: ofPlace, run: (served, at) => show(at, read(served, at)),
  }),
  method({
    name: "labels/set", writes: true, action: "label.edit", summary: "Sets all of them; none clears them.", params: place.extend({ labels: labelsOf }), result, about: ofPlace,
    run: async (served, { labels, ...at }, call) => {
      read(served, at);
      await write(served, at, { labels, call });
      return show(at, labels);
    },
  }),
  method({
    name: "labels/delete", writes: true, action: "label.edit", summary: "Takes all of them away, and gives those that were there.", params: place, result, about: ofPlace,
    run: async (served, at, call) => {
      const old = read(served, at);
      await write(served, at, { labels: {}, call });
      return show(at, old);
    },
  }),
];

function ofPlace({ scope: of, id: at }: Place): readonly string[] | undefined {
  return of === "member" && at !== undefined ? [at] : undefined;
}

/** Throws `mob.not_found`, `mob.invalid_params`. */
function read(served: Served, { scope: of, id: at }: Place): Labels {
  if (of === "mob") return served.view.labels.get("") ?? {};
  if (at === undefined) throw mobError("mob.invalid_params", `id: name the ${of}`, { facts: { path: "id" } });
  if (of === "member") return rowOf(served, at).labels;
  return served.view.labels.get(served.flows.get(at).run_id) ?? {};
}

async function write(
  { members, view, ledger, writer }: Served, { scope: of, id: at = "" }: Place, { labels, call }: { readonly labels: Labels; readonly call: Call },
): Promise<void> {
  const { principal } = call;
  const spec = view.members.get(at)?.spec;
  if (of === "member" && spec !== undefined) return void await members.update({ ...spec, labels }, { principal });
  await ledger.append(writer, [{ kind: "labels_set", source: "api", principal, ...of === "run" ? { run_id: at } : {}, data: { labels } }]);
}

function show({ scope: of, id: at }: Place, labels: Labels): z.output<typeof result> {
  return { scope: of, ...at === undefined ? {} : { id: at }, labels: { ...labels } };
}

const key = z.string().min(1).max(256);
const metaValue = z.object({ key: z.string(), value: json.nullable(), revision: z.int().min(0) }).meta({ id: "Meta" }) satisfies z.ZodType<Meta>;

const META_METHODS: readonly Method[] = [
  method({
    name: "meta/get", writes: false, action: "mob.view", keys: ["key"], summary: "A value that a program keeps here, with its revision; 0 when there is none.",
    params: z.strictObject({ key }), result: metaValue, run: (served, params) => getMeta(served, params.key),
  }),
  method({
    name: "meta/set", writes: true, action: "mob.admin", keys: ["key"],
    summary: "Sets it, with expected only if that is its revision; null takes it away.",
    params: z.strictObject({ key, value: json.nullable(), expected: z.int().min(0).optional() }), result: metaValue, rest: { verb: "PUT", path: "/meta/{key}" },
    run: ({ ledger, writer, clock, limits }, params) => setMeta({ ledger, writer, limits, now: () => clock.now() }, params),
  }),
];

export const KEPT_METHODS: readonly Method[] = [...LABEL_METHODS, ...META_METHODS];
