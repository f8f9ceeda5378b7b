/** A thread of ours takes over the flags of this process, but where one tells how a program without a file is read: no thread starts with that. */
export function threadFlags(): { readonly execArgv?: [] } {
  return process.execArgv.some((flag) => flag.startsWith("--input-type")) ? { execArgv: [] } : {};
}
