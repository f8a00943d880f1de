import pg from 'pg';
import type { DemoWorld } from '../world.ts';

/** The database itself, past the gateway: what the tour's claims are measured against. */
export class Truth {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async open({ postgres }: DemoWorld): Promise<Truth> {
    const { host, port, superuser: user, password } = postgres;
    const client = new pg.Client({ host, port, user, password, database: 'orders', types: { getTypeParser: () => String } });
    client.on('error', () => {});
    await client.connect();
    return new Truth(client);
  }

  /** Every cell of the answer as text; for a statement that fails, the error's message. */
  async cells(statement: string): Promise<readonly string[]> {
    try {
      const { rows } = await this.#client.query<string[]>({ text: statement, rowMode: 'array' });
      return rows.flat();
    } catch (error) {
      if (error instanceof pg.DatabaseError) return [error.message];
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}
