/** The demo's policies, by file name. They are written into its folder, where they can be changed while it runs. */
export const demoPolicies: Readonly<Record<string, string>> = {
  '10-access.cedar': `// Who may work on production at all. Nothing is allowed that no policy permits.
@id("pipelines and people may connect")
permit (principal in Group::"deployers", action in Action::"connect", resource in Label::"env=production");

@id("pipelines may read and write production")
permit (
  principal in Group::"deployers",
  action in [Action::"read", Action::"write", Action::"define", Action::"transfer"],
  resource in Label::"env=production"
);

@id("pipelines may sign on to application servers")
permit (principal in Group::"deployers", action in Action::"connect", resource in Target::"app-1");

@id("pipelines may look at logs there")
permit (principal in Group::"deployers", action == Action::"ssh:exec", resource in Target::"app-1")
when { context has program && ["tail", "head", "grep", "uptime"].contains(context.program) };

@id("pipelines may restart the application")
permit (principal in Group::"deployers", action == Action::"ssh:exec", resource == Command::"app-1/systemctl restart app");

@id("the fraud desk may read")
permit (principal in Group::"fraud", action in [Action::"connect", Action::"read"], resource in Target::"orders");

@id("the fraud desk sees card numbers")
permit (principal in Group::"fraud", action == Action::"reveal", resource == DataClass::"card-number");
`,
  '20-guards.cedar': `// What nobody does through the gateway, however permitted otherwise.
@id("no one drops tables or databases")
@message("Tables and databases are dropped in a migration window by the platform team.")
forbid (principal, action in [Action::"sql:drop-table", Action::"sql:drop-database"], resource);

@id("no one deletes customers by way of the CRM")
@message("Customers are closed by the back office, not deleted.")
forbid (principal, action == Action::"http:delete", resource in Path::"crm/customers");
`,
  '30-reviews.cedar': `// What waits for a person.
@id("unbounded deletes and updates wait for a DBA")
@review("dba") @approvals("1") @expires("15m")
@message("A DELETE or UPDATE without a WHERE touches every row.")
forbid (principal, action in [Action::"sql:delete", Action::"sql:update"], resource in Label::"env=production")
when { context has unbounded && context.unbounded };

@id("restarts wait for someone on call")
@review("dba") @approvals("1") @expires("15m")
@message("A restart of the application interrupts customers.")
forbid (principal, action == Action::"ssh:exec", resource == Command::"app-1/systemctl restart app");

@id("schema changes wait for a DBA")
@review("dba") @approvals("1") @expires("15m")
@message("Schema changes on production need a DBA.")
forbid (principal, action in Action::"define", resource in Label::"env=production");
`,
};
