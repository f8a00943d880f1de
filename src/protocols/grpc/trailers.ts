import { GatewayFault } from '../../core/fault.ts';
import { toBase64 } from '../base64.ts';
import type { AnswerEnd, HeaderField } from '../request.ts';
import type { Call } from './call.ts';
import { valueOf } from './head.ts';
import { addTo, binaryValue, maskedText, shownMetadata, type MaskedCounts } from './metadata.ts';
import { codeOf, decodeMessage, encodeMessage, statusOf, type StatusName } from './status.ts';

export interface ShownStatus {
  readonly fields: readonly HeaderField[];
  readonly outcome: AnswerEnd['outcome'];
}

/**
 * How a call ended, as its client may see it. Errors carry what messages carry: the text is masked by the detectors, and is not shown where places in the
 * messages of this method are hidden, since nobody can tell what of them it repeats; the details are masked as messages are, or left out. Counts go into
 * `counts`, and what it holds in the end is told to the client in `sallyport-masked`.
 */
export function shownStatus(fields: readonly HeaderField[], call: Call, counts: MaskedCounts): ShownStatus {
  const status = statusOf(valueOf(fields, 'grpc-status'));
  if (status === undefined) return failed('UNKNOWN', 'the target’s answer ends without a status');
  // Where nothing went wrong there is nothing to say, though some say "OK".
  const message = status === 'OK' ? undefined : shownMessage(valueOf(fields, 'grpc-message'), call, counts);
  const details = shownDetails(valueOf(fields, 'grpc-status-details-bin'), call, counts);
  const metadata = shownMetadata(fields, call.masks, counts);
  return {
    fields: [
      { name: 'grpc-status', value: String(codeOf(status)) },
      ...optional('grpc-message', message),
      ...optional('grpc-status-details-bin', details),
      ...metadata,
      ...optional('sallyport-masked', noticeOf(counts)),
    ],
    outcome: outcomeOf(status),
  };
}

/** A status of the gateway's own about the target's answer. */
export function failed(status: StatusName, text: string): ShownStatus {
  return {
    fields: [
      { name: 'grpc-status', value: String(codeOf(status)) },
      { name: 'grpc-message', value: encodeMessage(text) },
    ],
    outcome: outcomeOf(status),
  };
}

function outcomeOf(status: StatusName): AnswerEnd['outcome'] {
  return status === 'OK' ? { outcome: 'succeeded', errorCode: undefined } : { outcome: 'failed', errorCode: status };
}

function shownMessage(value: string | undefined, { described, masks }: Call, counts: MaskedCounts): string | undefined {
  if (value === undefined || value === '' || !masks.hides) return value;
  const hidden = described?.masker('response', masks).hiddenClasses ?? [];
  if (hidden.length > 0) {
    for (const name of hidden) addTo(counts, name, 1);
    return encodeMessage(`(the text of the target is not shown: answers of this method hold ${hidden.join(', ')})`);
  }
  const text = decodeMessage(value);
  const shown = maskedText(text, masks, counts);
  return shown === text ? value : encodeMessage(shown);
}

/** Undefined: left out. */
function shownDetails(value: string | undefined, { described, masks }: Call, counts: MaskedCounts): string | undefined {
  if (value === undefined || !masks.hides) return value;
  const octets = binaryValue(value);
  if (octets === undefined || described === undefined) return undefined;
  const shown = described.statusMasker(masks).mask(octets);
  if (shown instanceof GatewayFault) return undefined;
  for (const [name, count] of shown.masked) addTo(counts, name, count);
  return shown.bytes === octets ? value : toBase64(shown.bytes);
}

function noticeOf(counts: MaskedCounts): string | undefined {
  return counts.size === 0 ? undefined : [...counts].map(([name, count]) => `${name}=${count}`).join(', ');
}

function optional(name: string, value: string | undefined): readonly HeaderField[] {
  return value === undefined ? [] : [{ name, value }];
}
