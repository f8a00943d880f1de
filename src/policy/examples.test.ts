import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { runCases } from './cases.ts';
import { compileFiles, orders } from './fixture.test.ts';
import { actionsByName, factTypes } from './schema.ts';

const guide = new URL('../../docs/guide/policies/', import.meta.url);
const web = { ...orders, name: 'web-1', protocol: 'ssh', labels: { env: 'production' } } as const;
const reference = readFileSync(new URL('../../docs/reference/policy.md', import.meta.url), 'utf8');

describe('the policies of the guide', () => {
  it('load without a warning and pass their cases', () => {
    const names = readdirSync(guide).filter((name) => name.endsWith('.cedar'));
    const files = names.map((name) => ({ name, text: readFileSync(new URL(name, guide), 'utf8') }));
    const set = compileFiles(files, {
      targets: [orders, web, { name: 'staging', labels: { env: 'staging' } }],
      dataClasses: ['card-number', 'ssn'],
    });
    assert.deepEqual(set.warnings, []);
    const results = runCases(set, parse(readFileSync(new URL('cases.yaml', guide), 'utf8')), { targets: [orders, web] });
    assert.ok(results.length > 0);
    assert.deepEqual(
      results.filter((result) => !result.passed).map((result) => [result.name, result.differences]),
      [],
    );
  });
});

describe('the guide to SSH', () => {
  it('shows policies that load', () => {
    const text = readFileSync(new URL('../ssh.md', guide), 'utf8');
    const blocks = [...text.matchAll(/```cedar\n([\s\S]*?)```/g)].map((match, index) => ({ name: `block ${index}`, text: match[1] ?? '' }));
    assert.ok(blocks.length >= 4);
    assert.deepEqual(compileFiles(blocks, { targets: [web], dataClasses: [] }).warnings, []);
  });
});

describe('the reference', () => {
  it('names every fact and every group of actions', () => {
    const facts = Object.keys(factTypes).filter((name) => !reference.includes(`\`${name}\``));
    assert.deepEqual(facts, []);
    const families = new Set([...actionsByName.keys()].map((name) => name.split(':')[0]));
    for (const family of families) assert.ok(reference.includes(`\`${family}`), family);
  });

  it('shows policies that load', () => {
    const blocks = [...reference.matchAll(/```cedar\n([\s\S]*?)```/g)].map((match, index) => ({
      name: `block ${index}`,
      text: match[1] ?? '',
    }));
    assert.ok(blocks.length > 0);
    assert.ok(compileFiles(blocks).policies.length > 0);
  });
});
