/**
 * The script functions that are plain calls of a host op. `args` are in order, `name:type` with `?` for an optional
 * one; a `json` argument reaches the op as JSON text. The list is made by `npm run api` from `script-api/`.
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
  { name: "mcp.connect", args: ["server:string", "command:string", "args:table?", "opts:table?"] },
  { name: "mcp.connect_http", args: ["server:string", "url:string", "opts:table?"] },
  { name: "mcp.call", args: ["server:string", "tool:string", "args:json?", "opts:table?"] },
  { name: "mcp.list_tools", args: ["server:string"] },
  { name: "mcp.list_resources", args: ["server:string"] },
  { name: "mcp.list_resource_templates", args: ["server:string"] },
  { name: "mcp.read_resource", args: ["server:string", "uri:string"] },
  { name: "mcp.subscribe_resource", args: ["server:string", "uri:string"] },
  { name: "mcp.unsubscribe_resource", args: ["server:string", "uri:string"] },
  { name: "mcp.list_prompts", args: ["server:string"] },
  { name: "mcp.get_prompt", args: ["server:string", "prompt:string", "args:json?"] },
  { name: "mcp.complete", args: ["server:string", "ref:json", "arg:string", "value:string"] },
  { name: "mcp.ping", args: ["server:string"] },
  { name: "mcp.server_info", args: ["server:string"] },
  { name: "mcp.cancel", args: ["server:string", "id:integer"] },
  { name: "mcp.notify_roots_list_changed", args: ["server:string"] },
  { name: "mcp.disconnect", args: ["server:string"] },
  { name: "std.env.get", args: ["key:string"] },
  { name: "std.env.get_or", args: ["key:string", "default:any"] },
  { name: "std.env.set", args: ["key:string", "value:string"] },
  { name: "std.env.home", args: [] },
  { name: "std.path.absolute", args: ["path:string"] },
  { name: "std.fs.read", args: ["path:string"] },
  { name: "std.fs.read_binary", args: ["path:string"] },
  { name: "std.fs.write", args: ["path:string", "data:string"] },
  { name: "std.fs.write_binary", args: ["path:string", "data:string"] },
  { name: "std.fs.append", args: ["path:string", "data:string"] },
  { name: "std.fs.copy", args: ["from:string", "to:string"] },
  { name: "std.fs.rename", args: ["from:string", "to:string"] },
  { name: "std.fs.exists", args: ["path:string"] },
  { name: "std.fs.is_dir", args: ["path:string"] },
  { name: "std.fs.is_file", args: ["path:string"] },
  { name: "std.fs.mkdir", args: ["path:string"] },
  { name: "std.fs.remove", args: ["path:string"] },
  { name: "std.fs.walk", args: ["path:string"] },
  { name: "std.fs.glob", args: ["path:string"] },
  { name: "std.fs.list", args: ["path:string"] },
  { name: "std.fs.stat", args: ["path:string"] },
  { name: "std.fs.metadata", args: ["path:string"] },
  { name: "std.kv.get", args: ["ns:string", "key:string"] },
  { name: "std.kv.set", args: ["ns:string", "key:string", "value:json"] },
  { name: "std.kv.delete", args: ["ns:string", "key:string"] },
  { name: "std.kv.list", args: ["ns:string", "prefix:string?"] },
  { name: "std.ts.append", args: ["series:string", "value:json", "tags:table?", "at_ms:integer?"] },
  { name: "std.ts.query", args: ["series:string", "opts:table?"] },
  { name: "std.ts.last", args: ["series:string", "tags:table?"] },
];
