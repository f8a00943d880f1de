import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PolicyLoadError, problemText, type KnownNames, type PolicyProblem } from './compile.ts';
import { actionsByName, factTypes, sqlActions } from './schema.ts';
import { compile, compileFiles } from './fixture.test.ts';

describe('what the schema refuses, with its place', () => {
  it('an unknown action, with a suggestion', () => {
    const [problem] = problemsOf('// é and a comment\n@id("a")\npermit (principal, action == Action::"sql:selct", resource);');
    assert.deepEqual([problem?.file, problem?.line, problem?.column], ['test.cedar', 3, 30]);
    assert.match(problem?.message ?? '', /unrecognized action/);
    assert.match(problem?.hint ?? '', /did you mean `Action::"sql:select"`/);
    assert.equal(problemsOf('@id("a") permit (principal, action == Action::"sql:selct", resource);').length, 1, 'one mistake, one problem');
  });

  it('columns count characters, not bytes', () => {
    const [problem] = problemsOf('@id("éé") permit (principal in Goup::"x", action, resource);');
    assert.deepEqual([problem?.line, problem?.column], [1, 32]);
  });

  it('a syntax error', () => {
    const [problem] = problemsOf('@id("a")\npermit (principal, action resource);');
    assert.deepEqual([problem?.line, problem?.column], [2, 27]);
    assert.match(problem?.message ?? '', /unexpected token/);
  });

  it('an unknown fact, an unguarded fact, a fact of another type', () => {
    assert.match(only('@id("a") permit(principal, action, resource) when { context.unbound };').message, /unbound/);
    const unguarded = only('@id("a") permit(principal, action, resource) when { context.unbounded };');
    assert.match(unguarded.hint ?? '', /context has unbounded/);
    assert.match(
      only('@id("a") permit(principal, action, resource) when { context has hour && context.hour == "9" };').message,
      /hour|String|Long/i,
    );
  });

  it('a policy that can never apply', () => {
    assert.match(only('@id("a") permit(principal, action == Action::"reveal", resource in Target::"orders");').message, /can never apply/);
    assert.match(only('@id("a") permit(principal, action == Action::"sql:select", resource == Group::"x");').message, /can never apply/);
    assert.match(only('@id("a") permit(principal, action, resource) when { false };').message, /can never apply/);
  });

  it('hidden characters', () => {
    assert.match(only('@id("a") permit(principal, action, resource == Target::"or\u202eders");').message, /bidi/i);
  });

  it('templates', () => {
    assert.match(only('@id("a") permit(principal == ?principal, action, resource);').message, /templates/);
  });

  it('numbers that would change on their way', () => {
    assert.match(
      only('@id("a") permit(principal, action, resource) when { context has hour && context.hour < 9223372036854775807 };').message,
      /9007199254740991/,
    );
  });

  it('more membership tests than can be told apart', () => {
    const tests = Array.from({ length: 7 }, (_, index) => `principal in Group::"g${index}"`).join(' || ');
    assert.match(only(`@id("a") permit(principal, action, resource) when { ${tests} };`).message, /membership in more than 6 ways/);
  });

  it('conditions that Cedar would not take back, but not long ones', () => {
    const nested = Array.from({ length: 70 }).reduce<string>((inner) => `if principal is Agent then (${inner}) else false`, 'true');
    assert.match(only(`@id("a") permit(principal, action, resource) when { ${nested} };`).message, /nested too deeply/);
    const paths = Array.from({ length: 500 }, (_, index) => `context.path == "/${index}"`).join(' || ');
    assert.equal(compile(`@id("a") permit(principal, action, resource) when { context has path && (${paths}) };`).policies.length, 1);
  });

  it('every problem of every file at once', () => {
    const thrown = loadError(() =>
      compileFiles([
        { name: 'b.cedar', text: 'permit(principal, action, resource);' },
        { name: 'a.cedar', text: '@id("x") @nope permit(principal, action, resource);\n@id("x") permit(principal, action, resource);' },
      ]),
    );
    assert.equal(thrown.code, 'policy-unavailable');
    assert.deepEqual(thrown.problems.map(problemText), [
      'a.cedar:1:10: unknown annotation @nope (known are @id, @review, @approvals, @expires, @message)',
      'b.cedar:1:1: the policy has no @id (name it: @id("pipelines may read production"))',
      'a.cedar:2:1: @id("x") is already used at a.cedar:1 (every policy needs a name of its own)',
    ]);
    assert.match(thrown.message, /a\.cedar:1:10/);
  });
});

describe('annotations', () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['permit(principal, action, resource);', /no @id/],
    ['@id("") permit(principal, action, resource);', /@id is not/],
    ['@id permit(principal, action, resource);', /@id is not/],
    ['@id("a\u200bb") permit(principal, action, resource);', /@id is not/],
    ['@id("a") @reviews("dba") forbid(principal, action, resource);', /unknown annotation @reviews/],
    ['@id("a") @review("dba") permit(principal, action, resource);', /@review on a permit/],
    ['@id("a") @review("") forbid(principal, action, resource);', /@review is not/],
    ['@id("a") @approvals("2") forbid(principal, action, resource);', /@approvals without @review/],
    ['@id("a") @expires("5m") forbid(principal, action, resource);', /@expires without @review/],
    ['@id("a") @message("") forbid(principal, action, resource);', /@message is not/],
    ...['0', '-1', '1.5', 'two', '', '100'].map(
      (value) => [`@id("a") @review("dba") @approvals("${value}") forbid(principal, action, resource);`, /@approvals is not/] as const,
    ),
    ...['0s', '5', '25h', '86401s', '1441m', '5d', '1.5h', '', '99999h'].map(
      (value) => [`@id("a") @review("dba") @expires("${value}") forbid(principal, action, resource);`, /@expires is not/] as const,
    ),
  ];
  for (const [text, expected] of wrong) {
    it(`refuses ${text.slice(0, 60)}`, () => assert.match(only(text).message, expected));
  }

  it('give a review its terms', () => {
    assert.deepEqual(terms(''), { group: 'dba', approvals: 1, expiresMs: 900_000 });
    assert.deepEqual(terms('@approvals("3") @expires("24h")'), { group: 'dba', approvals: 3, expiresMs: 86_400_000 });
    assert.deepEqual(terms('@expires("90s")'), { group: 'dba', approvals: 1, expiresMs: 90_000 });
  });
});

describe('a set of policies', () => {
  it('has a version that changes with any text or name', () => {
    const text = '@id("a") permit(principal, action, resource);';
    assert.match(version('a', text), /^[0-9a-f]{64}$/);
    assert.equal(version('a', text), version('a', text));
    assert.notEqual(version('a', text), version('b', text));
    assert.notEqual(version('a', text), version('a', `${text} `));
  });

  it('may be empty, and then permits nothing', () => {
    assert.deepEqual(compile('').policies, []);
  });

  it('warns of targets, labels and data classes that do not exist', () => {
    const names: KnownNames = { targets: [{ name: 'orders', labels: { env: 'production' } }], dataClasses: ['ssn'] };
    const set = compileFiles(
      [
        {
          name: 'a.cedar',
          text: `@id("a") permit(principal, action, resource in Target::"oders");
@id("b") permit(principal, action, resource in Label::"env=prod");
@id("c") permit(principal, action == Action::"reveal", resource == DataClass::"snn") when { context.target in [Target::"orders", Target::"order"] };
@id("d") permit(principal, action, resource in Target::"orders");`,
        },
      ],
      names,
    );
    assert.deepEqual(
      set.warnings.map((warning) => [warning.line, warning.message.split(' ')[0]]),
      [
        [1, 'Target::"oders"'],
        [2, 'Label::"env=prod"'],
        [3, 'DataClass::"snn"'],
        [3, 'Target::"order"'],
      ],
    );
  });
});

describe('the vocabulary', () => {
  it('has every action and every fact', () => {
    const names = [...actionsByName.keys()].map((name) => `Action::"${name}"`);
    const guards = Object.keys(factTypes).map((name) =>
      alwaysGiven.has(name) ? `context.${name} == context.${name}` : `(context has ${name} && context.${name} == context.${name})`,
    );
    const text = `@id("all") permit(principal, action in [${names.join(', ')}], resource) when { ${guards.join(' || ')} };`;
    assert.deepEqual(
      compile(text).policies.map((policy) => policy.id),
      ['all'],
    );
  });

  it('puts the groups of the contract where rules expect them', () => {
    assert.deepEqual(sqlActions['sql:delete'], ['write']);
    assert.deepEqual(sqlActions['sql:drop-table'], ['define']);
    assert.deepEqual(sqlActions['sql:create-role'], ['administer']);
    assert.deepEqual(sqlActions['sql:copy-to'], ['read', 'transfer']);
  });
});

const alwaysGiven = new Set(['protocol', 'groups_known']);

function terms(annotations: string): unknown {
  return compile(`@id("a") @review("dba") ${annotations} forbid(principal, action, resource);`).policies[0]?.review;
}

function version(name: string, text: string): string {
  return compileFiles([{ name, text }]).version;
}

function problemsOf(text: string): readonly PolicyProblem[] {
  return loadError(() => compile(text)).problems;
}

function only(text: string): PolicyProblem {
  const problems = problemsOf(text);
  assert.equal(problems.length, 1, problems.map(problemText).join('\n'));
  return problems[0]!;
}

function loadError(load: () => unknown): PolicyLoadError {
  try {
    load();
  } catch (error) {
    assert.ok(error instanceof PolicyLoadError, String(error));
    return error;
  }
  return assert.fail('the policies were accepted');
}
