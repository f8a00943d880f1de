import assert from 'node:assert/strict';

/** As much of a browser as a sign-in needs: cookies by path, redirects, and the one form of the page. */
export class Browser {
  page = '';
  readonly seen: string[] = [];
  #url = new URL('http://127.0.0.1/');
  readonly #cookies = new Map<string, { readonly value: string; readonly path: string }>();

  /** Follows redirects to the page behind them, or until one leads below `stopAt`, which is returned. */
  async open(url: URL, stopAt?: string, form?: URLSearchParams): Promise<URL> {
    const cookie = [...this.#cookies]
      .filter(([, { path }]) => url.pathname.startsWith(path))
      .map(([name, { value }]) => `${name}=${value}`);
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: cookie.join('; ') },
      ...(form === undefined ? {} : { method: 'POST', body: form }),
    });
    for (const header of response.headers.getSetCookie()) this.#keep(header);
    this.page = await response.text();
    this.seen.push(this.page);
    this.#url = url;
    const location = response.headers.get('location');
    if (location === null) return url;
    const next = new URL(location, url);
    return stopAt !== undefined && next.href.startsWith(stopAt) ? next : this.open(next, stopAt);
  }

  /** Submits the page's form with its hidden fields and these ones. */
  submit(fields: Readonly<Record<string, string>>, stopAt?: string): Promise<URL> {
    const action = /<form[^>]*action="([^"]*)"/.exec(this.page)?.[1];
    assert.ok(this.page.includes('<form'), `no form on: ${this.page}`);
    const hidden = [...this.page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)];
    const form = new URLSearchParams(hidden.map(([, name = '', value = '']): [string, string] => [name, value]));
    for (const [name, value] of Object.entries(fields)) form.set(name, value);
    return this.open(action === undefined ? this.#url : new URL(action, this.#url), stopAt, form);
  }

  /** A page with this marker submits itself by script. */
  async submitWhile(marker: string): Promise<void> {
    for (let turn = 0; turn < 5 && this.page.includes(marker); turn += 1) await this.submit({});
  }

  #keep(header: string): void {
    const [pair = '', ...attributes] = header.split(';').map((part) => part.trim());
    const at = pair.indexOf('=');
    const path = attributes.find((attribute) => attribute.toLowerCase().startsWith('path='))?.slice('path='.length) ?? '/';
    const name = pair.slice(0, at);
    if (pair.length === at + 1) this.#cookies.delete(name);
    else this.#cookies.set(name, { value: pair.slice(at + 1), path });
  }
}
