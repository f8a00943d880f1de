import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Facts, ObjectRef } from '../core/operation.ts';
import type { Principal } from '../core/principal.ts';
import { createPolicyEngine } from './engine.ts';
import { act, agent, compile, customers, engineFor, orders, payments, question } from './fixture.test.ts';

const sample = `
@id("pipelines may read production")
permit (principal in Group::"deployers", action in Action::"read", resource in Label::"env=production");

@id("pipelines may change rows and schema")
permit (principal in Group::"deployers", action in [Action::"write", Action::"define"], resource in Target::"orders");

@id("schema changes and unbounded deletes wait for a DBA")
@review("dba") @approvals("2") @expires("30m")
@message("Schema changes on production need a DBA.")
forbid (principal, action in Action::"define", resource in Label::"env=production");

@id("unbounded writes wait")
@review("dba")
forbid (principal, action in Action::"write", resource) when { context has unbounded && context.unbounded };

@id("no one drops a database through the gateway")
forbid (principal, action == Action::"sql:drop-database", resource);

@id("fraud desk sees card numbers")
permit (principal in Group::"fraud", action == Action::"reveal", resource == DataClass::"card-number");
`;

describe('two passes', () => {
  const engine = engineFor(sample);

  it('allows what a permit names and says which', () => {
    const decision = engine.decide(question([act('sql:select', customers)]));
    assert.deepEqual(decision, { kind: 'allow', policies: ['pipelines may read production'] });
  });

  it('denies by default and says what to ask for', () => {
    const decision = engine.decide(question([act('sql:select', customers)], { principal: agent({ groups: [] }) }));
    assert.equal(decision.kind, 'deny');
    assert.ok(decision.kind === 'deny' && decision.code === 'policy-denied' && decision.policies.length === 0);
    assert.match(decision.message, /No policy permits sql:select on Relation::"orders\/public\.customers"/);
  });

  it('holds what a review policy matches, with its terms', () => {
    const decision = engine.decide(question([act('sql:drop-table', customers)]));
    assert.ok(decision.kind === 'hold');
    assert.deepEqual(decision.reviews, [
      {
        policy: 'schema changes and unbounded deletes wait for a DBA',
        group: 'dba',
        approvals: 2,
        expiresMs: 1_800_000,
        message: 'Schema changes on production need a DBA.',
      },
    ]);
  });

  it('holds what reaches objects that it does not name, where an owner wants that', () => {
    const cascading = engineFor(`
      @id("deployers may define") permit (principal, action in Action::"define", resource in Target::"orders");
      @id("cascades wait") @review("dba") forbid (principal, action, resource) when { context has cascade && context.cascade };`);
    assert.equal(cascading.decide(question([act('sql:drop-table', customers)])).kind, 'allow');
    const held = cascading.decide(question([act('sql:drop-table', customers)], { facts: { cascade: true } }));
    assert.deepEqual(held.kind === 'hold' && held.reviews.map(({ policy }) => policy), ['cascades wait']);
  });

  it('never lets a review turn a denial into a hold', () => {
    const database: ObjectRef = { type: 'Database', id: 'orders/orders' };
    const decision = engine.decide(question([act('sql:drop-database', database)]));
    assert.ok(decision.kind === 'deny');
    assert.deepEqual(decision.policies, ['no one drops a database through the gateway']);
    assert.match(decision.message, /forbidden by policy "no one drops a database/);
    const stranger = engine.decide(question([act('sql:drop-table', customers)], { principal: agent({ groups: ['strangers'] }) }));
    assert.equal(stranger.kind, 'deny');
  });

  it('takes the most restricted act, and joins reviews without repeating them', () => {
    const drop = act('sql:drop-table', customers);
    const facts = { unbounded: true };
    const held = engine.decide(
      question([act('sql:select', customers), drop, act('sql:drop-view', payments), act('sql:delete', payments)], { facts }),
    );
    assert.ok(held.kind === 'hold');
    assert.deepEqual(
      held.reviews.map((review) => [review.policy, review.approvals, review.expiresMs]),
      [
        ['schema changes and unbounded deletes wait for a DBA', 2, 1_800_000],
        ['unbounded writes wait', 1, 900_000],
      ],
    );
    const denied = engine.decide(question([drop, act('sql:grant', customers)]));
    assert.ok(denied.kind === 'deny');
    assert.match(denied.message, /sql:grant/);
  });

  it('reads facts', () => {
    assert.equal(engine.decide(question([act('sql:delete', payments)], { facts: { unbounded: false } })).kind, 'allow');
    assert.equal(engine.decide(question([act('sql:delete', payments)], { facts: { unbounded: true } })).kind, 'hold');
    assert.equal(engine.decide(question([act('sql:delete', payments)])).kind, 'allow');
  });

  it('shows the message of a forbid', () => {
    const strict = engineFor(
      '@id("p") permit(principal, action, resource); @id("f") @message("Not on Fridays.") forbid(principal, action == Action::"sql:call", resource);',
    );
    const decision = strict.decide(question([act('sql:call', customers)]));
    assert.ok(decision.kind === 'deny');
    assert.match(decision.message, /^Not on Fridays\. .*policy "f"/);
  });
});

describe('objects', () => {
  it('stand in schema, database, target and labels', () => {
    for (const scope of [
      'Relation::"orders/public.customers"',
      'Schema::"orders/public"',
      'Database::"orders/orders"',
      'Target::"orders"',
      'Label::"env=production"',
    ]) {
      assert.equal(inside(scope), 'allow', scope);
    }
    for (const scope of ['Schema::"orders/private"', 'Target::"billing"', 'Label::"env=staging"', 'Label::"env"']) {
      assert.equal(inside(scope), 'deny', scope);
    }
  });

  it('of another target are refused', () => {
    const engine = engineFor('@id("p") permit(principal, action, resource);');
    assert.throws(() => engine.decide(question([act('sql:select', { type: 'Target', id: 'billing' })])), { code: 'policy-unavailable' });
  });
});

describe('connecting', () => {
  const connect = act('connect', { type: 'Target', id: 'orders' });

  it('is permitted to whoever is permitted anything there', () => {
    const engine = engineFor(
      '@id("one table") permit(principal in Group::"deployers", action == Action::"sql:select", resource == Relation::"orders/public.customers");',
    );
    assert.equal(engine.decide(question([connect])).kind, 'allow');
    assert.equal(engine.decide(question([act('sql:set', { type: 'Setting', id: 'orders/work_mem' })])).kind, 'allow');
    assert.equal(engine.decide(question([act('sql:select', payments)])).kind, 'deny');
    assert.equal(engine.decide(question([connect], { target: { ...orders, name: 'billing' }, connectTo: 'billing' })).kind, 'deny');
    const stranger = engine.decide(question([connect], { principal: agent({ groups: [] }) }));
    assert.ok(stranger.kind === 'deny' && stranger.code === 'access-denied');
  });

  it('is not implied by reveal, and can be forbidden', () => {
    const revealing = engineFor('@id("r") permit(principal, action == Action::"reveal", resource);');
    assert.equal(revealing.decide(question([connect])).kind, 'deny');
    const forbidden = engineFor(
      '@id("p") permit(principal, action, resource); @id("f") forbid(principal, action == Action::"connect", resource in Label::"env=production");',
    );
    assert.equal(forbidden.decide(question([connect])).kind, 'deny');
  });

  it('is what an operation without acts asks for', () => {
    const engine = engineFor('@id("p") permit(principal in Group::"deployers", action == Action::"connect", resource);');
    assert.equal(engine.decide(question([])).kind, 'allow');
    assert.equal(engine.decide(question([], { principal: agent({ groups: [] }) })).kind, 'deny');
  });
});

describe('reveal', () => {
  const classes = ['card-number', 'ssn'];

  it('shows only what a policy names, to whom it names', () => {
    const engine = engineFor(sample);
    assert.deepEqual(engine.reveals(agent({ groups: ['fraud'] }), orders, classes), new Set(['card-number']));
    assert.deepEqual(engine.reveals(agent({ groups: ['deployers'] }), orders, classes), new Set());
    assert.deepEqual(engine.reveals(agent({ groups: ['fraud'] }), orders, []), new Set());
  });

  it('is not given by a rule about everything', () => {
    const engine = engineFor('@id("admins do everything") permit(principal, action, resource);');
    assert.deepEqual(engine.reveals(agent({}), orders, classes), new Set());
  });

  it('can be limited to targets and labels, and be forbidden', () => {
    const engine = engineFor(`
      @id("staging only") permit(principal, action == Action::"reveal", resource) when { context.target in Label::"env=staging" };
      @id("never ssn") forbid(principal, action, resource == DataClass::"ssn");`);
    assert.deepEqual(engine.reveals(agent({}), orders, classes), new Set());
    assert.deepEqual(engine.reveals(agent({}), { ...orders, labels: { env: 'staging' } }, classes), new Set(['card-number']));
  });

  it('stays masked where a review policy matches', () => {
    const engine = engineFor(
      '@id("p") permit(principal, action in [Action::"reveal"], resource); @id("r") @review("dba") forbid(principal, action, resource);',
    );
    assert.deepEqual(engine.reveals(agent({}), orders, classes), new Set());
  });
});

describe('claims, time and the way in', () => {
  it('reads claims as tags', () => {
    const engine = engineFor(
      '@id("p") permit(principal is Agent in Issuer::"github", action, resource) when { principal.hasTag("repository_id") && principal.getTag("repository_id") == "7741" && principal.issuer == "github" };',
    );
    const ask = (principal: Principal): string => engine.decide(question([act('sql:select', customers)], { principal })).kind;
    assert.equal(ask(agent({ claims: { repository_id: '7741' } })), 'allow');
    assert.equal(ask(agent({ claims: { repository_id: 7741 } })), 'allow');
    assert.equal(ask(agent({ claims: { repository_id: '7742' } })), 'deny');
    assert.equal(ask(agent({})), 'deny');
    assert.equal(ask(agent({ claims: { repository_id: '7741' }, kind: 'user' })), 'deny');
  });

  it('reads the clock, and never remembers such an answer', () => {
    let now = Date.UTC(2027, 2, 5, 22);
    const set = compile(
      '@id("p") permit(principal, action, resource) when { context has hour && context has weekday && context.hour >= 9 && context.hour < 17 && context.weekday != "sunday" };',
    );
    const engine = createPolicyEngine(set, { now: () => now });
    const asked = question([act('sql:select', customers)], { cacheKey: {}, facts: { hour: 12 } });
    assert.equal(engine.decide(asked).kind, 'deny');
    now = Date.UTC(2027, 2, 5, 9);
    assert.equal(engine.decide(asked).kind, 'allow');
    now = Date.UTC(2027, 2, 7, 9);
    assert.equal(engine.decide(asked).kind, 'deny');
  });

  it('tells the protocol from the target, not from the caller', () => {
    const engine = engineFor('@id("p") permit(principal, action, resource) when { context.protocol == "postgres" };');
    assert.equal(engine.decide(question([act('sql:select', customers)], { facts: { protocol: 'tds' } })).kind, 'allow');
  });
});

describe('groups unknown', () => {
  it('forbids that could match under any membership deny', () => {
    assert.equal(withUnknownGroups('@id("f") forbid(principal in Group::"contractors", action, resource);'), 'deny');
    assert.equal(withUnknownGroups('@id("f") forbid(principal is Agent in Group::"contractors", action, resource);'), 'deny');
    assert.equal(
      withUnknownGroups('@id("f") forbid(principal, action, resource) when { principal in [Group::"a", Group::"contractors"] };'),
      'deny',
    );
    assert.equal(withUnknownGroups('@id("f") forbid(principal, action, resource) unless { principal in Group::"dba" };'), 'deny');
    assert.equal(
      withUnknownGroups('@id("f") forbid(principal, action, resource) when { principal in Group::"a" && !(principal in Group::"b") };'),
      'deny',
    );
    assert.equal(withUnknownGroups('@id("f") forbid(principal, action, resource) when { principal is Agent in Group::"a" };'), 'deny');
    assert.equal(withUnknownGroups('@id("f") forbid(principal, action, resource) when { principal is User in Group::"a" };'), 'allow');
  });

  it('forbids about something else, or about issuers, do not', () => {
    assert.equal(
      withUnknownGroups('@id("f") forbid(principal in Group::"contractors", action == Action::"sql:delete", resource);'),
      'allow',
    );
    assert.equal(withUnknownGroups('@id("f") forbid(principal in Issuer::"entra", action, resource);'), 'allow');
    assert.equal(withUnknownGroups('@id("f") forbid(principal, action, resource) when { principal in Issuer::"entra" };'), 'allow');
  });

  it('counts memberships that are known', () => {
    assert.equal(withUnknownGroups('@id("f") forbid(principal, action, resource) unless { principal in Group::"dba" };', ['dba']), 'allow');
  });

  it('reviews that could match hold', () => {
    assert.equal(withUnknownGroups('@id("f") @review("dba") forbid(principal in Group::"contractors", action, resource);'), 'hold');
  });

  it('permits apply only where membership cannot matter', () => {
    assert.equal(onlyWithUnknownGroups('@id("p") permit(principal in Group::"deployers", action, resource);'), 'deny');
    assert.equal(
      onlyWithUnknownGroups('@id("p") permit(principal, action, resource) unless { principal in Group::"contractors" };'),
      'deny',
    );
    assert.equal(
      onlyWithUnknownGroups('@id("p") permit(principal, action, resource) when { principal in Group::"a" || principal is Agent };'),
      'allow',
    );
    assert.equal(onlyWithUnknownGroups('@id("p") permit(principal, action, resource) when { !context.groups_known };'), 'allow');
  });

  it('says so', () => {
    const decision = engineFor(sample).decide(
      question([act('sql:select', customers)], { principal: agent({ groups: [], groupsKnown: false }) }),
    );
    assert.ok(decision.kind === 'deny');
    assert.match(decision.message, /Group membership is unknown/);
  });
});

describe('what cannot be evaluated denies', () => {
  it('an undeclared or mistyped fact', () => {
    const engine = engineFor(sample);
    const bad: readonly Facts[] = [
      { unbound: true },
      { unbounded: 'true' },
      { statements: 'select' },
      { destination_port: 1.5 },
      { toString: 'x' },
    ];
    for (const facts of bad) {
      assert.throws(() => engine.decide(question([act('sql:select', customers)], { facts })), { code: 'policy-unavailable' });
    }
  });

  it('an unknown action', () => {
    assert.throws(() => engineFor(sample).decide(question([act('sql:frobnicate', customers)])), { code: 'policy-unavailable' });
  });

  it('a forbid that fails at run time, which Cedar itself would skip', () => {
    const engine = engineFor(`
      @id("p") permit(principal, action, resource);
      @id("f") forbid(principal, action, resource) when { principal.hasTag("n") && ${tooMuch} > 1 };`);
    const ask = (n: string): string =>
      engine.decide(question([act('sql:select', customers)], { principal: agent({ claims: { n } }) })).kind;
    assert.equal(ask('y'), 'allow');
    assert.throws(() => ask('x'), { code: 'policy-unavailable' });
  });
});

describe('the cache', () => {
  it('is emptied by new policies', () => {
    const engine = engineFor(sample);
    const asked = question([act('sql:select', customers)], { cacheKey: {} });
    assert.equal(engine.decide(asked), engine.decide(asked), 'the second answer is the remembered one');
    const before = engine.version;
    engine.replace(compile('@id("nothing") forbid(principal, action, resource);'));
    assert.notEqual(engine.version, before);
    assert.equal(engine.decide(asked).kind, 'deny');
    engine.replace(compile(sample));
    assert.equal(engine.version, before);
    assert.equal(engine.decide(asked).kind, 'allow');
    assert.deepEqual(engine.reveals(agent({ groups: ['fraud'] }), orders, ['card-number']), new Set(['card-number']));
    engine.replace(compile('@id("nothing") forbid(principal, action, resource);'));
    assert.deepEqual(engine.reveals(agent({ groups: ['fraud'] }), orders, ['card-number']), new Set());
  });

  it('tells principals, groups, claims, targets and labels apart', () => {
    const engine = engineFor(`
      @id("p") permit(principal in Group::"deployers", action, resource in Label::"env=production");
      @id("f") forbid(principal, action, resource) when { principal.hasTag("bad") };`);
    const cacheKey = {};
    const acts = [act('sql:select', customers)];
    assert.equal(engine.decide(question(acts, { cacheKey })).kind, 'allow');
    assert.equal(engine.decide(question(acts, { cacheKey, principal: agent({ groups: ['others'] }) })).kind, 'deny');
    assert.equal(engine.decide(question(acts, { cacheKey, principal: agent({ claims: { bad: true } }) })).kind, 'deny');
    assert.equal(engine.decide(question(acts, { cacheKey, target: { ...orders, labels: { env: 'staging' } } })).kind, 'deny');
    assert.equal(engine.decide(question(acts, { cacheKey, principal: agent({}) })).kind, 'allow');
  });

  it('forgets the oldest beyond its limit and keeps answering rightly', () => {
    const engine = createPolicyEngine(compile(sample), { now: () => 0, cachedDecisions: 2 });
    const asked = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) =>
      question([act('sql:select', { type: 'Relation', id: `orders/public.${name}` })], { cacheKey: {} }),
    );
    const first = asked.map((entry) => engine.decide(entry));
    assert.equal(engine.decide(asked[0]!), first[0], 'the same question');
    assert.notEqual(engine.decide({ ...asked[0]!, cacheKey: {} }), first[0], 'the oldest act was forgotten');
    assert.deepEqual(engine.decide({ ...asked[0]!, cacheKey: {} }), first[0]);
  });
});

/** Overflows where the principal's tag `n` is x; else 0. */
const tooMuch = '9007199254740991 * (if principal.getTag("n") == "x" then 9007199254740991 else 0)';

function inside(scope: string): string {
  const engine = engineFor(`@id("p") permit(principal, action == Action::"sql:select", resource in ${scope});`);
  return engine.decide(question([act('sql:select', customers)])).kind;
}

function withUnknownGroups(forbids: string, groups: readonly string[] = []): string {
  return onlyWithUnknownGroups(`@id("all") permit(principal, action, resource); ${forbids}`, groups);
}

function onlyWithUnknownGroups(policies: string, groups: readonly string[] = []): string {
  const principal = agent({ groups, groupsKnown: false });
  return engineFor(policies).decide(question([act('sql:select', customers)], { principal })).kind;
}
