import { tagTable } from './frame.ts';
import { CLIENT_TAG, LIMIT_BYTES } from './messages.ts';

const small = LIMIT_BYTES.small;
/** What a client may send after sign-in. */
export const readyTable = tagTable({
  expecting: 'a message after sign-in',
  open: [
    [CLIENT_TAG.Query, LIMIT_BYTES.query],
    [CLIENT_TAG.Parse, LIMIT_BYTES.query],
    [CLIENT_TAG.Bind, LIMIT_BYTES.bind],
    [CLIENT_TAG.Execute, small],
    [CLIENT_TAG.Describe, small],
    [CLIENT_TAG.Close, small],
    [CLIENT_TAG.Flush, small],
    [CLIENT_TAG.Sync, small],
    [CLIENT_TAG.Terminate, small],
    [CLIENT_TAG.FunctionCall, LIMIT_BYTES.bind],
    [CLIENT_TAG.CopyData, LIMIT_BYTES.bind],
    [CLIENT_TAG.CopyDone, small],
    [CLIENT_TAG.CopyFail, LIMIT_BYTES.copyFail],
  ],
});
/** What it may send while it copies in; the rest is there to be refused by name. */
export const copyTable = tagTable({
  expecting: 'copy data',
  forward: [CLIENT_TAG.CopyData],
  open: [
    [CLIENT_TAG.CopyDone, small],
    [CLIENT_TAG.CopyFail, LIMIT_BYTES.copyFail],
    [CLIENT_TAG.Flush, small],
    [CLIENT_TAG.Sync, small],
    [CLIENT_TAG.Terminate, small],
    [CLIENT_TAG.Query, LIMIT_BYTES.query],
    [CLIENT_TAG.Parse, LIMIT_BYTES.query],
    [CLIENT_TAG.Bind, LIMIT_BYTES.bind],
    [CLIENT_TAG.Execute, small],
    [CLIENT_TAG.Describe, small],
    [CLIENT_TAG.Close, small],
  ],
});
