/** As much of a document as the page of the console touches: a tree of elements with text, attributes and events. */

export class TinyElement {
  readonly tagName: string;
  readonly dataset: Record<string, string> = {};
  readonly attributes = new Map<string, string>();
  parent: TinyElement | undefined;
  nodes: (TinyElement | string)[] = [];
  id = "";
  className = "";
  value = "";
  hidden = false;
  disabled = false;
  open = false;
  readonly #listeners = new Map<string, ((event: object) => void)[]>();
  readonly #document: TinyDocument;

  constructor(document: TinyDocument, tag: string) {
    this.#document = document;
    this.tagName = tag.toUpperCase();
  }

  get textContent(): string {
    return this.nodes.map((node) => (typeof node === "string" ? node : node.textContent)).join("");
  }

  set textContent(text: string) {
    this.nodes = text === "" ? [] : [text];
  }

  get elements(): readonly TinyElement[] {
    return this.nodes.filter((node) => typeof node !== "string");
  }

  append(...nodes: (TinyElement | string)[]): void {
    for (const node of nodes) if (typeof node !== "string") node.parent = this;
    this.nodes.push(...nodes);
  }

  prepend(node: TinyElement): void {
    node.parent = this;
    this.nodes.unshift(node);
  }

  replaceChildren(...nodes: (TinyElement | string)[]): void {
    this.nodes = [];
    this.append(...nodes);
  }

  remove(): void {
    if (this.parent !== undefined) this.parent.nodes = this.parent.nodes.filter((node) => node !== this);
  }

  contains(other: TinyElement | undefined): boolean {
    return other === this || other?.parent !== undefined && this.contains(other.parent);
  }

  /** By class alone. */
  querySelector(selector: string): TinyElement | undefined {
    for (const element of this.elements) {
      const found = `.${element.className}` === selector ? element : element.querySelector(selector);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  setAttribute(name: string, value: string): void {
    this.attributes.set(name, value);
  }

  addEventListener(name: string, hear: (event: object) => void): void {
    this.#listeners.set(name, [...this.#listeners.get(name) ?? [], hear]);
  }

  fire(name: string, event: object = {}): void {
    for (const hear of this.#listeners.get(name) ?? []) hear({ preventDefault: () => undefined, target: this, ...event });
  }

  click(): void {
    if (!this.disabled) this.fire("click");
  }

  focus(): void {
    this.#document.activeElement = this;
  }
}

export class TinyDocument {
  title = "";
  activeElement: TinyElement | undefined;
  readonly documentElement = new TinyElement(this, "html");
  readonly #byId = new Map<string, TinyElement>();

  /** With the elements that have an id, in one row: where they stand is for people. */
  constructor(html: string) {
    for (const [, tag = "", rest = "", id = ""] of html.matchAll(/<(\w+)([^>]*\sid="([\w-]+)"[^>]*)>/g)) {
      const element = this.createElement(tag);
      element.id = id;
      element.hidden = /\shidden\b/.test(rest);
      this.#byId.set(id, element);
      this.documentElement.append(element);
    }
  }

  createElement(tag: string): TinyElement {
    return new TinyElement(this, tag);
  }

  getElementById(id: string): TinyElement {
    const found = this.#byId.get(id);
    if (found === undefined) throw new Error(`the page has no ${id}`);
    return found;
  }

  addEventListener(name: string, hear: (event: object) => void): void {
    this.documentElement.addEventListener(name, hear);
  }
}
