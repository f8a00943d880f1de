import type { Route } from '../route.ts';
import type { FailureLimiter } from '../sign-in.ts';
import { approvalRoutes } from './approvals.ts';
import { auditRoutes } from './audit.ts';
import { identityRoutes } from './identity.ts';
import { policyRoutes } from './policy.ts';
import { publicRoutes } from './public.ts';
import { sessionRoutes } from './sessions.ts';
import { tokenRoutes } from './token.ts';

export function allRoutes(limiter: FailureLimiter): readonly Route[] {
  return [
    ...publicRoutes,
    ...tokenRoutes(limiter),
    ...identityRoutes,
    ...sessionRoutes,
    ...approvalRoutes,
    ...auditRoutes,
    ...policyRoutes,
  ];
}
