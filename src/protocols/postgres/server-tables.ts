import { tagTable } from './frame.ts';
import { LIMIT_BYTES, SERVER_TAG } from './messages.ts';

const openedTags = [
  SERVER_TAG.BindComplete,
  SERVER_TAG.CloseComplete,
  SERVER_TAG.CommandComplete,
  SERVER_TAG.CopyInResponse,
  SERVER_TAG.CopyOutResponse,
  SERVER_TAG.EmptyQueryResponse,
  SERVER_TAG.ErrorResponse,
  SERVER_TAG.NoData,
  SERVER_TAG.NoticeResponse,
  SERVER_TAG.NotificationResponse,
  SERVER_TAG.ParameterDescription,
  SERVER_TAG.ParameterStatus,
  SERVER_TAG.ParseComplete,
  SERVER_TAG.PortalSuspended,
  SERVER_TAG.ReadyForQuery,
  SERVER_TAG.RowDescription,
  SERVER_TAG.CopyDone,
].map((tag) => [tag, LIMIT_BYTES.serverOpened] as const);
const expecting = 'an answer of the target';
const openRow = [SERVER_TAG.DataRow, LIMIT_BYTES.openedRow] as const;
/** Every row is looked into. */
export const readyTable = tagTable({ expecting, open: [...openedTags, openRow] });
/** Rows are only counted. */
export const readyCountTable = tagTable({ expecting, open: openedTags, count: [SERVER_TAG.DataRow] });
/** The same while data is copied to the client. */
export const copyCountTable = tagTable({ expecting, open: openedTags, count: [SERVER_TAG.CopyData] });
export const copyOpenTable = tagTable({ expecting, open: [...openedTags, [SERVER_TAG.CopyData, LIMIT_BYTES.openedRow] as const] });
