import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../../harness.ts';
import type { Door } from '../door.ts';
import { startSshWorld, type SshWorld } from '../world.ts';

/** What policy, people and the gateway make of commands, as OpenSSH's client sees it. */
describe('a command through the gateway', () => {
  let world: SshWorld;
  let door: Door;
  before(async () => {
    world = await startSshWorld({
      policies,
      adjust: ({ targets }) => {
        const box = targets!['box'] as Record<string, unknown>;
        box['exact_commands'] = ['echo listed "two words"'];
        box['environment'] = ['LANG', 'SALLYPORT_GREETING'];
      },
    });
    door = await world.behind();
  });
  after(() => world.close());

  const said = async (words: readonly string[], options: Parameters<Door['ssh']>[1] = {}): Promise<string> => {
    const { code, stdout, stderr } = await door.ssh(words, options);
    return `${code} ${stdout.toString()}${stderr.toString()}`;
  };
  const last = async (): Promise<Readonly<Record<string, unknown>>> => (await world.records(['operation.decided'])).at(-1)!;

  it('that is permitted runs; one that is not is refused with the reason and 126', async () => {
    assert.equal(await said(['echo free']), '0 free\n');
    const refused = await said(['touch', `${world.sshd.folder}/never`]);
    assert.match(refused, /^126 sallyport: .*ssh:exec.*\[operation [^\]]+\]\n$/);
    assert.deepEqual((await last())['decision'], 'deny');
    // As a client with a terminal sees it.
    assert.match(await said(['reboot'], { options: ['-tt'] }), /^126 sallyport: .*\r\n$/);
  });

  it('that is listed runs as it is listed, in any quoting', async () => {
    for (const text of ['echo listed "two words"', "'ec'ho  listed two\\ words"]) {
      assert.equal(await said([text]), '0 listed two words\n');
      const { text: recorded, facts, acts } = await last();
      assert.equal(recorded, "echo listed 'two words'");
      assert.equal((facts as { exact_command?: boolean }).exact_command, true);
      assert.deepEqual(acts, [{ action: 'ssh:exec', object: `Command::"box/echo listed 'two words'"` }]);
    }
    for (const text of ['echo listed two words', 'echo listed "two words"; id', 'echo listed "two words" > x', 'echo listed "$HOME"']) {
      assert.match(await said([text]), /^126 sallyport/, text);
    }
  });

  it('that waits says for whom; runs once approved, with exactly what was asked; and not when it is denied', async () => {
    const waiting = said(['echo held'], { env: { SALLYPORT_GREETING: 'hello' }, options: ['-o', 'SendEnv=SALLYPORT_GREETING'] });
    const approval = await world.answer('dba-erin', 'approve', 'go');
    assert.match(await waiting, /^0 held\nsallyport: waiting for approval by dba: .*\n$/);
    const client = await world.api('dba-erin');
    const shown = await client.get<{ acts: readonly { object: string }[] }>(`/api/v1/approvals/${String(approval['id'])}`);
    assert.deepEqual(
      shown.acts.map(({ object }) => object),
      ['Command::"box/echo held"', 'Setting::"box/SALLYPORT_GREETING"'],
    );
    const denied = said(['echo held']);
    await world.answer('dba-erin', 'deny', 'not today');
    assert.match(await denied, /^126 sallyport: waiting .*\nsallyport: .*not today.*\n$/s);
  });

  it('that waits is given up by Ctrl-C, with a terminal and without one', async () => {
    for (const hasTerminal of [true, false]) {
      const [before, decisions] = [(await world.records(['approval.ended'])).length, (await world.records(['operation.decided'])).length];
      const child = spawn('ssh', ['-F', door.config, ...(hasTerminal ? ['-tt'] : []), 'box', 'echo held']);
      const over = new Promise((resolve) => child.once('close', resolve));
      await pending(world);
      if (hasTerminal) child.stdin.write('\u0003');
      else child.kill('SIGINT');
      assert.equal(await over, hasTerminal ? 130 : 255);
      const ended = await eventually('the end of the request', async () => (await world.records(['approval.ended']))[before]);
      assert.equal(ended['state'], 'cancelled');
      // Its decision follows.
      const decided = await eventually('the decision', async () => (await world.records(['operation.decided']))[decisions]);
      assert.deepEqual([decided['text'], decided['decision']], ['echo held', 'deny']);
    }
  });

  it('gets the variables that the target lists and policy permits, and no others', async () => {
    const env = { LANG: 'C.UTF-8', SALLYPORT_GREETING: 'hello', LD_PRELOAD: undefined, BASH_ENV: '/tmp/evil', LC_ALL: undefined };
    const options = ['-o', 'SendEnv=LANG SALLYPORT_GREETING BASH_ENV', '-o', 'SetEnv=SALLYPORT_REASON="CHG-1 because"'];
    assert.equal(
      await said(['printenv'], { env, options }).then((text) =>
        text
          .split('\n')
          .filter((line) => /^(BASH_ENV|SALLYPORT)/.test(line))
          .join(),
      ),
      'SALLYPORT_GREETING=hello',
    );
    const { facts, parameters } = await last();
    assert.deepEqual((facts as { environment: string[] }).environment.toSorted(), ['LANG', 'SALLYPORT_GREETING']);
    assert.equal((facts as { reason: string }).reason, 'CHG-1 because');
    assert.ok((parameters as string[]).includes('SALLYPORT_GREETING=hello'));
    const notes = await world.records(['session.note']);
    assert.ok(notes.some(({ event, detail }) => event === 'environment-refused' && (detail as { name: string }).name === 'BASH_ENV'));
  });

  it('forwards no agent and no screen', async () => {
    const { stdout } = await door.ssh(['echo "[$SSH_AUTH_SOCK][$DISPLAY]"'], {
      options: ['-A', '-X', '-o', 'IdentityAgent=none'],
      env: { DISPLAY: ':9' },
    });
    assert.equal(stdout.toString(), '[][]\n');
  });
});

/** Until somebody is asked. */
async function pending(world: SshWorld): Promise<void> {
  const client = await world.api('dba-erin');
  for (;;) {
    const { approvals } = await client.get<{ approvals: unknown[] }>('/api/v1/approvals', { state: 'pending' });
    if (approvals.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const policies = `
@id("what is listed runs")
permit (principal in Group::"deployers", action == Action::"ssh:exec", resource in Target::"box")
when { context has exact_command && context.exact_command };

@id("a few commands run")
permit (principal in Group::"deployers", action == Action::"ssh:exec", resource in Target::"box")
when {
  (context has command && ["echo free", "echo held", "printenv"].contains(context.command)) ||
  (context has shell_syntax && context has commands && context.commands == ["echo"] && resource == Command::"box/echo \\"[$SSH_AUTH_SOCK][$DISPLAY]\\"")
};

@id("they set variables")
permit (principal in Group::"deployers", action == Action::"ssh:set-environment", resource in Target::"box");

@id("one of them waits")
@review("dba") @approvals("1") @expires("5m")
forbid (principal, action == Action::"ssh:exec", resource == Command::"box/echo held");
`;
