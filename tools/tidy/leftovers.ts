/** What was meant to be gone before the commit. */
import type { Finding, SourceFile, Tree } from "./tree.ts";

/**
 * Folders of one person's machine. Tests name such folders on purpose, so only the first is looked for there.
 */
const OWN_FOLDERS = [
  /\/work\/(?:main|shared|\.library)\b/, /(?:^|[\s"'`(=])\/(?:home|Users)\/\w+\//, /\b[A-Z]:\\Users\\/,
];
const MERGE_MARK = /^(?:<{7}|>{7}|\|{7})(?: |$)/;

/** Logs, profiles and reports of runs, and what merges and packing leave; most of it in .gitignore too. */
const TRACE = /(?:\.(?:log|cpuprofile|heapprofile|heapsnapshot|orig|rej|tgz)|(?:^|\/)(?:report\.\d.*\.json|core(?:\.\d+)?))$/;

export function checkLeftovers(tree: Tree): readonly Finding[] {
  const traces = tree.paths.filter((path) => TRACE.test(path))
    .map((file) => ({ file, line: 1, what: "what a run has left behind", remedy: "remove it" }));
  return [...traces, ...checkFiles(tree)];
}

function checkFiles(tree: Tree): readonly Finding[] {
  return tree.files.flatMap((file) => [...checkText(file), ...checkCode(file)]);
}

function checkText(file: SourceFile): readonly Finding[] {
  const findings: Finding[] = [];
  const folders = file.isTest ? OWN_FOLDERS.slice(0, 1) : OWN_FOLDERS;
  file.text.split("\n").forEach((text, index) => {
    const at = { file: file.path, line: index + 1 };
    if (MERGE_MARK.test(text)) {
      findings.push({ ...at, what: "a merge mark", remedy: "finish the merge" });
    }
    // The patterns above are written so that they do not match themselves.
    if (folders.some((folder) => folder.test(text))) {
      findings.push({ ...at, what: "a path of one machine",
        remedy: "take it from the environment, or make a folder for it" });
    }
  });
  return findings;
}

function checkCode(file: SourceFile): readonly Finding[] {
  const { facts } = file;
  if (!facts) return [];
  const at = (line: number, what: string, remedy: string): Finding =>
    ({ file: file.path, line, what, remedy });
  const speaks = file.owner !== undefined && !file.isTest && file.path.startsWith(`${file.owner.dir}/src/`);
  return [
    ...facts.syntaxErrors.map(({ line, text }) => at(line, `syntax error: ${text}`, "mend it")),
    ...facts.onlyCalls.map((line) => at(line, "a test runs alone (.only)", "remove .only")),
    ...facts.debuggers.map((line) => at(line, "a debugger statement", "remove it")),
    ...(speaks ? facts.consoleCalls : [])
      .map(({ line, text }) => at(line, `${text} in a library`, "write to the log that was handed in")),
    ...facts.comments.filter(({ text }) => /(?<!@)\bTODO\b|\b(?:FIXME|XXX)\b/.test(text))
      .map(({ line }) => at(line, "a mark that no one will find",
        "write @TODO and what is missing, or do it")),
  ];
}
