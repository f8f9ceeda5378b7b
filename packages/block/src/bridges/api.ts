/**
 * The script functions that are plain calls of a host op. `args` are in order, `name:type` with `?` for an optional one;
 * a `json` argument reaches the op as JSON text. `doc` is one sentence for the reference.
 */
export interface ApiFunction {
  readonly name: string;
  readonly args: readonly string[];
  /** Only in the isle of the script. */
  readonly isle?: "main";
}

export const API: readonly ApiFunction[] = [
  { name: "bus.emit", args: ["kind:string", "payload:json?", "id:string?"] },
  { name: "bus.serve", args: [], isle: "main" },
  { name: "mesh.send", args: ["id:string", "payload:json?", "opts:table?"] },
  { name: "mesh.request", args: ["id:string", "payload:json?", "opts:table?"] },
  { name: "http.request", args: ["url:string", "opts:table?"] },
  { name: "sh.exec", args: ["cmd:string", "opts:table?"] },
  { name: "std.kv.get", args: ["ns:string", "key:string"] },
  { name: "std.kv.set", args: ["ns:string", "key:string", "value:json"] },
  { name: "std.kv.delete", args: ["ns:string", "key:string"] },
  { name: "std.kv.list", args: ["ns:string", "prefix:string?"] },
  { name: "std.ts.append", args: ["series:string", "value:json", "tags:table?", "at_ms:integer?"] },
  { name: "std.ts.query", args: ["series:string", "opts:table?"] },
  { name: "std.ts.last", args: ["series:string", "tags:table?"] },
  ...["read", "read_binary", "exists", "is_dir", "is_file", "mkdir", "remove", "walk", "glob", "stat", "list", "metadata"]
    .map((fn) => ({ name: `std.fs.${fn}`, args: ["path:string"] })),
  ...["write", "write_binary", "append"].map((fn) => ({ name: `std.fs.${fn}`, args: ["path:string", "data:string"] })),
  ...["copy", "rename"].map((fn) => ({ name: `std.fs.${fn}`, args: ["from:string", "to:string"] })),
  { name: "std.path.absolute", args: ["path:string"] },
  { name: "std.env.get", args: ["key:string"] },
  { name: "std.env.get_or", args: ["key:string", "default:any"] },
  { name: "std.env.set", args: ["key:string", "value:string"] },
  { name: "std.env.home", args: [] },
];
