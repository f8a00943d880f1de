// What people do with migration tools and mappers, one of them at a time: `node run.mjs <tool>`. Prints what each step gave, as JSON lines.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';

const { PGHOST: host, PGPORT: port, PGUSER: user, PGPASSWORD: password, PGDATABASE: database, PGSSLROOTCERT: ca } = process.env;
const connection = { host, port: Number(port), user, password, database, ssl: { ca: readFileSync(ca, 'utf8') } };

function show(step, value) {
  process.stdout.write(`${JSON.stringify([step, value])}\n`);
}

/** What is there now, as the server says. */
async function schema(step) {
  const client = new pg.Client(connection);
  await client.connect();
  const { rows } = await client.query(
    `select c.table_name, c.column_name, c.data_type, c.is_nullable, c.column_default from information_schema.columns c
     where c.table_schema in ('public', 'drizzle') and (c.table_name like 'made%' or c.table_name like '%igrations%' or c.table_name like 'knex%')
     order by 1, c.ordinal_position`,
  );
  const { rows: indexes } = await client.query("select indexdef from pg_indexes where tablename like 'made%' order by 1");
  await client.end();
  show(step, [...rows.map((row) => Object.values(row).join(' ')), ...indexes.map((row) => row.indexdef)]);
}

async function clean() {
  const client = new pg.Client(connection);
  await client.connect();
  await client.query(`drop table if exists made_orders, made_people, knex_migrations, knex_migrations_lock, pgmigrations, migrations, typeorm_metadata cascade;
    drop schema if exists drizzle cascade; drop type if exists made_mood, made_people_mood_enum, "enum_made_people_mood"`);
  await client.end();
}

/** The error of an act that must fail: its SQLSTATE. */
async function failure(work) {
  try {
    await work();
    return 'no error';
  } catch (error) {
    return (error.original ?? error.driverError ?? error.cause ?? error).code ?? String(error);
  }
}

const tools = {
  async drizzle() {
    const { drizzle } = await import('drizzle-orm/node-postgres');
    const { migrate } = await import('drizzle-orm/node-postgres/migrator');
    const core = await import('drizzle-orm/pg-core');
    const { eq, sql } = await import('drizzle-orm');
    const folder = join(process.cwd(), 'drizzle-work');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    writeFileSync(
      join(folder, 'schema.ts'),
      `import { pgTable, pgEnum, serial, text, integer, jsonb, timestamp, index } from 'drizzle-orm/pg-core';
export const mood = pgEnum('made_mood', ['sad', 'glad']);
export const people = pgTable('made_people', { id: serial('id').primaryKey(), name: text('name').notNull(), mood: mood('mood'), doc: jsonb('doc'), at: timestamp('at').defaultNow() }, (t) => [index('made_name').on(t.name)]);
export const orders = pgTable('made_orders', { id: serial('id').primaryKey(), person: integer('person').references(() => people.id, { onDelete: 'cascade' }) });
`,
    );
    const kit = join(process.cwd(), 'node_modules/drizzle-kit/bin.cjs');
    const generate = (name) =>
      execFileSync(process.execPath, [
        kit,
        'generate',
        '--dialect=postgresql',
        `--schema=${folder}/schema.ts`,
        '--out=drizzle-work/out',
        `--name=${name}`,
      ]);
    generate('first');
    const pool = new pg.Pool(connection);
    const db = drizzle(pool);
    await migrate(db, { migrationsFolder: join(folder, 'out') });
    await schema('migrated');
    await migrate(db, { migrationsFolder: join(folder, 'out') });
    const text = readFileSync(join(folder, 'schema.ts'), 'utf8');
    writeFileSync(join(folder, 'schema.ts'), text.replace("doc: jsonb('doc')", "doc: jsonb('doc'), age: integer('age').default(7)"));
    generate('second');
    await migrate(db, { migrationsFolder: join(folder, 'out') });
    await schema('migrated again');
    const people = core.pgTable('made_people', {
      id: core.serial('id').primaryKey(),
      name: core.text('name').notNull(),
      doc: core.jsonb('doc'),
    });
    show(
      'insert',
      await db
        .insert(people)
        .values([{ name: 'a', doc: { b: [1, null] } }, { name: 'ü' }])
        .returning(),
    );
    show('update', (await db.update(people).set({ name: 'c' }).where(eq(people.name, 'a'))).rowCount);
    show(
      'transaction',
      await failure(() =>
        db.transaction(async (tx) => {
          await tx.delete(people);
          await tx.execute(sql`select 1 / 0`);
        }),
      ),
    );
    show('select', await db.select().from(people).orderBy(people.id));
    await pool.end();
  },

  async knex() {
    const { default: create } = await import('knex');
    const knex = create({ client: 'pg', connection, pool: { min: 0, max: 3 } });
    const migrationSource = {
      getMigrations: async () => ['1-first', '2-second'],
      getMigrationName: (name) => name,
      getMigration: async (name) =>
        name === '1-first'
          ? {
              up: (db) =>
                db.schema
                  .createTable('made_people', (t) => {
                    t.increments();
                    t.string('name').notNullable().index();
                    t.jsonb('doc');
                    t.enu('mood', ['sad', 'glad']);
                    t.timestamps(true, true);
                  })
                  .createTable('made_orders', (t) => {
                    t.increments();
                    t.integer('person').references('made_people.id').onDelete('cascade');
                  }),
              down: (db) => db.schema.dropTable('made_orders').dropTable('made_people'),
            }
          : {
              up: (db) =>
                db.schema.alterTable('made_people', (t) => {
                  t.integer('age').defaultTo(7);
                  t.renameColumn('name', 'title');
                }),
              down: (db) =>
                db.schema.alterTable('made_people', (t) => {
                  t.renameColumn('title', 'name');
                  t.dropColumn('age');
                }),
            },
    };
    show('latest', await knex.migrate.latest({ migrationSource }));
    await schema('migrated');
    show('status', await knex.migrate.status({ migrationSource }));
    show('insert', await knex('made_people').insert([{ title: 'a', doc: { b: 1 } }, { title: 'b' }], ['id', 'title', 'doc']));
    show(
      'transaction',
      await failure(() =>
        knex.transaction(async (tx) => {
          await tx('made_people').del();
          await tx.raw('select 1 / 0');
        }),
      ),
    );
    show('stream', await knex('made_people').select('title').orderBy('id'));
    show('columns', Object.keys(await knex('made_people').columnInfo()));
    show('rollback', await knex.migrate.rollback({ migrationSource }, true));
    await schema('rolled back');
    await knex.destroy();
  },

  async sequelize() {
    const { default: module } = await import('sequelize');
    const { Sequelize, DataTypes } = module;
    const sequelize = new Sequelize(database, user, password, {
      dialect: 'postgres',
      host,
      port: Number(port),
      logging: false,
      dialectOptions: { ssl: connection.ssl },
    });
    const Person = sequelize.define(
      'person',
      {
        name: { type: DataTypes.STRING, allowNull: false, unique: true },
        mood: DataTypes.ENUM('sad', 'glad'),
        doc: DataTypes.JSONB,
        tags: DataTypes.ARRAY(DataTypes.TEXT),
      },
      { tableName: 'made_people', timestamps: false },
    );
    const Order = sequelize.define('order', { total: DataTypes.DECIMAL(10, 2) }, { tableName: 'made_orders', timestamps: false });
    Person.hasMany(Order, { onDelete: 'CASCADE' });
    Order.belongsTo(Person);
    await sequelize.authenticate();
    await sequelize.sync({ force: true });
    await schema('synchronised');
    const person = await Person.create(
      { name: 'a', mood: 'glad', doc: { b: 1 }, tags: ['x', 'y'], orders: [{ total: '1.50' }] },
      { include: Order },
    );
    show('create', person.get({ plain: true }));
    show('upsert', await Person.upsert({ id: 1, name: 'z' }).then(([row]) => row.name));
    show(
      'find',
      (await Person.findAll({ include: Order, order: ['id'] })).map((row) => row.get({ plain: true })),
    );
    show('duplicate', await failure(() => Person.create({ name: 'z' })));
    show(
      'transaction',
      await failure(() =>
        sequelize.transaction(async (t) => {
          await Order.destroy({ where: {}, transaction: t });
          await sequelize.query('select 1 / 0', { transaction: t });
        }),
      ),
    );
    await Person.sync({ alter: true });
    await schema('altered');
    show('tables', (await sequelize.getQueryInterface().showAllTables()).length > 2);
    show('described', await sequelize.getQueryInterface().describeTable('made_people'));
    await sequelize.drop({});
    await sequelize.close();
  },

  async typeorm() {
    await import('reflect-metadata');
    const { DataSource, EntitySchema } = await import('typeorm');
    const Person = new EntitySchema({
      name: 'Person',
      tableName: 'made_people',
      columns: {
        id: { type: Number, primary: true, generated: true },
        name: { type: String, unique: true },
        mood: { type: 'enum', enum: ['sad', 'glad'], nullable: true },
        doc: { type: 'jsonb', nullable: true },
      },
    });
    class First1700000000000 {
      async up(runner) {
        await runner.query('create table made_orders (id serial primary key, total numeric(10, 2))');
      }
      async down(runner) {
        await runner.query('drop table made_orders');
      }
    }
    const source = new DataSource({
      type: 'postgres',
      host,
      port: Number(port),
      username: user,
      password,
      database,
      ssl: connection.ssl,
      entities: [Person],
      migrations: [First1700000000000],
      installExtensions: false,
    });
    await source.initialize();
    await source.synchronize();
    show(
      'migrations',
      (await source.runMigrations({ transaction: 'all' })).map(({ name }) => name),
    );
    await schema('migrated');
    const people = source.getRepository(Person);
    show(
      'save',
      await people.save([
        { name: 'a', doc: { b: 1 } },
        { name: 'b', mood: 'glad' },
      ]),
    );
    show('find', await people.find({ order: { id: 'ASC' } }));
    show('duplicate', await failure(() => people.insert({ name: 'a' })));
    show(
      'transaction',
      await failure(() =>
        source.transaction(async (manager) => {
          await manager.delete(Person, { name: 'a' });
          await manager.query('select 1 / 0');
        }),
      ),
    );
    show('query', await people.createQueryBuilder('p').where('p.doc @> :doc', { doc: '{"b": 1}' }).getCount());
    await source.undoLastMigration();
    show('log', (await source.driver.createSchemaBuilder().log()).upQueries.length);
    await schema('undone');
    await source.destroy();
  },

  async 'node-pg-migrate'() {
    const { runner } = await import('node-pg-migrate');
    const folder = join(process.cwd(), 'pg-migrate-work');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    writeFileSync(
      join(folder, '1700000000000_first.mjs'),
      `export const up = (pgm) => { pgm.createTable('made_people', { id: 'id', name: { type: 'text', notNull: true } }); pgm.createIndex('made_people', 'name'); pgm.sql("insert into made_people (name) values ('a')"); };\n`,
    );
    writeFileSync(
      join(folder, '1700000000001_second.mjs'),
      `export const up = (pgm) => { pgm.addColumns('made_people', { age: { type: 'integer', default: 7 } }); pgm.addConstraint('made_people', 'made_age', { check: 'age > 0' }); };\nexport const down = (pgm) => { pgm.dropConstraint('made_people', 'made_age'); pgm.dropColumns('made_people', ['age']); };\n`,
    );
    const options = { databaseUrl: connection, dir: folder, migrationsTable: 'pgmigrations', log: () => {}, verbose: false };
    show(
      'up',
      (await runner({ ...options, direction: 'up', count: Infinity })).map(({ name }) => name),
    );
    await schema('migrated');
    show(
      'down',
      (await runner({ ...options, direction: 'down', count: 1 })).map(({ name }) => name),
    );
    await schema('down');
  },
};

await clean();
try {
  await tools[process.argv[2]]();
} catch (error) {
  show('failed', String(error?.stack ?? error));
} finally {
  await clean();
}
