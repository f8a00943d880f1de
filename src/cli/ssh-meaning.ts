import type { SshTargetConfig } from '../config/index.ts';
import type { Target } from '../core/target.ts';
import type { DataClasses } from '../masking/classes.ts';
import { runningSha256 } from '../net/crypto.ts';
import { explainSsh, type SshMeaning } from '../protocols/ssh/explain.ts';
import { forwardRule } from '../protocols/ssh/forward.ts';
import { exactCommands } from '../shell/index.ts';

/** What something that an SSH client may ask for would mean at this target; without a line, what connecting means. */
export function sshMeaning(config: SshTargetConfig, target: Target, line: string | undefined, classes: DataClasses): SshMeaning {
  const { upstream, environment, moderated, home, opaqueTransfers, forwards } = config;
  return explainSsh({
    line,
    target,
    ownUser: upstream.user,
    context: {
      classes,
      settings: { exactCommands: exactCommands(config.exactCommands), environment, moderated, home, opaqueTransfers },
      sha256: runningSha256,
    },
    forwards: forwards.map(({ host, port, target: through }) => forwardRule(host, port, through)),
  });
}
