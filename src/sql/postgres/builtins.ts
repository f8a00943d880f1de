/**
 * What PostgreSQL brings along in `pg_catalog`: functions that may be called without asking, types, operators. Taken from
 * `pg_proc`, `pg_type` and `pg_operator` of PostgreSQL 15 and 18, then thinned out by hand. A name is in a list of safe functions
 * only where every function of that name is safe: which one is meant depends on argument types, which the text does not show.
 */

/**
 * Immutable or stable, without side effect; run no SQL text, open no file, read no relation of the user's, change no setting.
 * Left out although stable: table_to_xml and its kin and ts_stat (run SQL), ts_rewrite(tsquery, text) (runs SQL), pg_input_is_valid (runs
 * any type's input function), statistics with other sessions' statements, paths on the server's disk.
 */
export const pureFunctions: ReadonlySet<string> = words(`
  abbrev abs aclcontains acldefault aclexplode acos acosd acosh age any_value area array_agg array_append array_dims array_fill
  array_length array_lower array_ndims array_position array_positions array_prepend array_remove array_replace array_reverse array_sort
  array_to_json array_to_string array_to_tsvector array_upper ascii asin asind asinh atan atan2 atan2d atand atanh avg bit bit_and
  bit_count bit_length bit_or bit_xor bool bool_and bool_or bound_box box bpchar broadcast btrim cardinality casefold cash_words cbrt
  ceil ceiling center char_length character_length chr cidr circle col_description concat concat_ws convert convert_from convert_to corr
  cos cosd cosh cot cotd count covar_pop covar_samp crc32 crc32c cume_dist current_database current_schema current_schemas
  current_setting current_user date date_add date_bin date_part date_subtract date_trunc datemultirange daterange decode degrees
  dense_rank diagonal diameter div encode enum_first enum_last enum_range erf erfc every exp extract factorial family first_value float4
  float8 floor format format_type gamma gcd generate_series generate_subscripts get_bit get_byte get_current_ts_config
  getdatabaseencoding getpgusername has_any_column_privilege has_column_privilege has_database_privilege
  has_foreign_data_wrapper_privilege has_function_privilege has_language_privilege has_largeobject_privilege has_parameter_privilege
  has_schema_privilege has_sequence_privilege has_server_privilege has_table_privilege has_tablespace_privilege has_type_privilege
  hashtext hashtextextended height host hostmask icu_unicode_version inet_client_addr inet_client_port inet_merge inet_same_family
  inet_server_addr inet_server_port initcap int2 int4 int4multirange int4range int8 int8multirange int8range interval is_normalized
  isclosed isempty isfinite ishorizontal isopen isparallel isperp isvertical json_agg json_agg_strict json_array_elements
  json_array_elements_text json_array_length json_build_array json_build_object json_each json_each_text json_extract_path
  json_extract_path_text json_object json_object_agg json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict
  json_object_keys json_populate_record json_populate_recordset json_strip_nulls json_to_record json_to_recordset json_to_tsvector
  json_typeof jsonb_agg jsonb_agg_strict jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array
  jsonb_build_object jsonb_delete_path jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object
  jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict jsonb_object_keys jsonb_path_exists
  jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query jsonb_path_query_array jsonb_path_query_array_tz
  jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record jsonb_populate_record_valid
  jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_to_tsvector
  jsonb_typeof justify_days justify_hours justify_interval lag last_value lcm lead left length lgamma like_escape line ln log log10
  lower lower_inc lower_inf lpad lseg ltrim macaddr macaddr8 macaddr8_set7bit make_date make_interval make_time make_timestamp
  make_timestamptz makeaclitem masklen max md5 min min_scale mod mode money multirange mxid_age name netmask network normalize now
  npoints nth_value ntile num_nonnulls num_nulls numeric nummultirange numnode numrange obj_description octet_length oid oidvectortypes
  overlaps overlay parse_ident path percent_rank percentile_cont percentile_disc pg_backend_pid pg_basetype pg_char_to_encoding
  pg_client_encoding pg_collation_for pg_collation_is_visible pg_column_compression pg_column_is_updatable pg_column_size
  pg_column_toast_chunk_id pg_conf_load_time pg_conversion_is_visible pg_current_snapshot pg_current_xact_id_if_assigned
  pg_describe_object pg_encoding_max_length pg_encoding_to_char pg_function_is_visible pg_get_acl pg_get_constraintdef pg_get_expr
  pg_get_function_arg_default pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result
  pg_get_function_sqlbody pg_get_functiondef pg_get_indexdef pg_get_keywords pg_get_partition_constraintdef pg_get_partkeydef
  pg_get_replica_identity_index pg_get_ruledef pg_get_serial_sequence pg_get_statisticsobjdef pg_get_statisticsobjdef_columns
  pg_get_statisticsobjdef_expressions pg_get_triggerdef pg_get_userbyid pg_get_viewdef pg_has_role pg_identify_object
  pg_identify_object_as_address pg_index_column_has_property pg_index_has_property pg_indexam_has_property pg_is_other_temp_schema
  pg_listening_channels pg_my_temp_schema pg_opclass_is_visible pg_operator_is_visible pg_opfamily_is_visible pg_options_to_table
  pg_partition_root pg_postmaster_start_time pg_relation_is_publishable pg_relation_is_updatable pg_sequence_parameters
  pg_settings_get_flags pg_size_bytes pg_size_pretty pg_snapshot_xip pg_snapshot_xmax pg_snapshot_xmin pg_statistics_obj_is_visible
  pg_table_is_visible pg_tablespace_location pg_timezone_abbrevs pg_timezone_abbrevs_abbrevs pg_timezone_abbrevs_zone pg_timezone_names
  pg_trigger_depth pg_ts_config_is_visible pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible pg_type_is_visible
  pg_typeof pg_visible_in_snapshot pg_wal_lsn_diff phraseto_tsquery pi plainto_tsquery point polygon position pow power querytree
  quote_ident quote_literal quote_nullable radians radius range_agg range_intersect_agg range_merge rank regexp_count regexp_instr
  regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy
  regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat replace reverse right round row_number
  row_security_active row_to_json rpad rtrim scale session_user set_bit set_byte set_masklen setweight sha224 sha256 sha384 sha512
  shobj_description sign similar_escape similar_to_escape sin sind sinh slope split_part sqrt statement_timestamp stddev stddev_pop
  stddev_samp string_agg string_to_array string_to_table strip strpos substr substring sum system_user tan tand tanh text time timestamp
  timestamptz timetz timezone to_ascii to_bin to_char to_date to_hex to_json to_jsonb to_number to_oct to_regclass to_regcollation
  to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure to_regrole to_regtype to_regtypemod to_timestamp to_tsquery
  to_tsvector transaction_timestamp translate trim_array trim_scale trunc ts_debug ts_delete ts_filter ts_headline ts_lexize ts_parse
  ts_rank ts_rank_cd ts_token_type tsmultirange tsrange tstzmultirange tstzrange tsvector_to_array txid_current_if_assigned
  txid_current_snapshot txid_snapshot_xip txid_snapshot_xmax txid_snapshot_xmin txid_visible_in_snapshot unicode_assigned
  unicode_version unistr unnest upper upper_inc upper_inf uuid_extract_timestamp uuid_extract_version var_pop var_samp varbit varchar
  variance version websearch_to_tsquery width width_bucket xml xml_is_well_formed xml_is_well_formed_content xml_is_well_formed_document
  xmlagg xmlcomment xmlexists xmltext xmlvalidate xpath xpath_exists
`);

/** Volatile by their answer only: nothing changes, but two calls may differ. */
export const volatileFunctions: ReadonlySet<string> = words(`
  array_sample array_shuffle clock_timestamp current_query currval gen_random_uuid lastval pg_blocking_pids pg_collation_actual_version
  pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn pg_current_xact_id pg_database_collation_actual_version
  pg_database_size pg_indexes_size pg_is_in_recovery pg_is_wal_replay_paused pg_jit_available pg_last_wal_receive_lsn
  pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_notification_queue_usage pg_partition_ancestors pg_partition_tree
  pg_relation_size pg_safe_snapshot_blocking_pids pg_sequence_last_value pg_stat_have_stats pg_table_size pg_tablespace_size
  pg_total_relation_size pg_xact_commit_timestamp pg_xact_status random random_normal timeofday txid_current txid_status uuidv4 uuidv7
`);

/** Functions whose whole effect is known and touches no relation's rows, by the action that they amount to. */
export const effectFunctions: ReadonlyMap<string, `sql:${string}`> = byAction({
  'sql:nextval': 'nextval setval',
  'sql:notify': 'pg_notify',
  'sql:cancel': 'pg_cancel_backend pg_terminate_backend',
  'sql:lock': `
  pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared pg_advisory_xact_lock
  pg_advisory_xact_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared pg_try_advisory_xact_lock
  pg_try_advisory_xact_lock_shared
  `,
});

/** Functions that reach beyond relations; asked about under their own action, and never seen through. */
export const reachingFunctions: ReadonlyMap<string, `sql:${string}`> = byAction({
  'sql:large-object': `
  lo_close lo_creat lo_create lo_from_bytea lo_get lo_lseek lo_lseek64 lo_open lo_put lo_tell lo_tell64 lo_truncate lo_truncate64
  lo_unlink loread lowrite
  `,
  'sql:server-file': `
  lo_export lo_import pg_current_logfile pg_hba_file_rules pg_ident_file_mappings pg_ls_archive_statusdir pg_ls_dir pg_ls_logdir
  pg_ls_logicalmapdir pg_ls_logicalsnapdir pg_ls_replslotdir pg_ls_summariesdir pg_ls_tmpdir pg_ls_waldir pg_read_binary_file
  pg_read_file pg_read_file_old pg_stat_file
  `,
  'sql:remote-query': `
  dblink dblink_connect dblink_connect_u dblink_exec dblink_open dblink_fetch dblink_send_query dblink_get_result
  `,
});

/**
 * Functions that read whatever they are given the name of (relations, pages on disk, changes in the log, other sessions' statements), by name
 * alone: pageinspect, tablefunc and others may be installed in any schema.
 */
export const readingFunctions: ReadonlySet<string> = words(`
  brin_page_items bt_page_items cursor_to_xml cursor_to_xmlschema database_to_xml database_to_xml_and_xmlschema database_to_xmlschema
  get_raw_page gin_leafpage_items gist_page_items gist_page_items_bytea hash_page_items heap_page_item_attrs heap_page_items pg_file_read
  pg_get_backend_memory_contexts pg_get_wal_block_info pg_get_wal_record_info pg_get_wal_records_info pg_logical_slot_get_binary_changes
  pg_logical_slot_get_changes pg_logical_slot_peek_binary_changes pg_logical_slot_peek_changes pg_qualstats pg_qualstats_example_queries
  pg_qualstats_example_query pg_stat_get_activity pg_stat_get_backend_activity pg_stat_statements pg_store_plans schema_to_xml schema_to_xml_and_xmlschema schema_to_xmlschema table_to_xml
  table_to_xml_and_xmlschema table_to_xmlschema tuple_data_split
`);

/**
 * Functions that run SQL given as text, here. What is in it may keep what it reads (set_config, setval, an advisory lock) where nothing is
 * known of it, whatever becomes of the result.
 */
export const textRunningFunctions: ReadonlySet<string> = words(`
  connectby crosstab crosstab2 crosstab3 crosstab4 crosstabn query_to_xml query_to_xml_and_xmlschema query_to_xmlschema ts_rewrite ts_stat
  xpath_table
`);

/** Helpers of the standard's information schema that drivers call by their schema's name. Immutable or stable. */
export const informationSchemaFunctions: ReadonlySet<string> = words(`
  _pg_char_max_length _pg_char_octet_length _pg_datetime_precision _pg_expandarray _pg_index_position _pg_interval_type
  _pg_numeric_precision _pg_numeric_precision_radix _pg_numeric_scale _pg_truetypid _pg_truetypmod
`);

/**
 * Built-in functions that take a whole row as their only argument. PostgreSQL reads `c.to_json` as `to_json(c)` where `c` has no such
 * column, so that each of these names, after a relation's name, may be the whole row.
 */
export const rowFunctions: ReadonlySet<string> = words(`
  any_value array_agg concat count hash_record json_agg json_agg_strict json_build_array jsonb_agg jsonb_agg_strict jsonb_build_array max min
  num_nonnulls num_nulls pg_column_compression pg_column_size pg_column_toast_chunk_id pg_typeof quote_literal quote_nullable record_out
  record_send row_to_json to_json to_jsonb
`);

/** Types of `pg_catalog` that run no code of the user's. Array types follow from them (`_int4`). */
export const builtinTypes: ReadonlySet<string> = words(`
  aclitem any anyarray anycompatible anycompatiblearray anycompatiblemultirange anycompatiblenonarray anycompatiblerange anyelement
  anyenum anymultirange anynonarray anyrange bit bool box bpchar bytea char cid cidr circle cstring date datemultirange daterange float4
  float8 inet int2 int4 int4multirange int4range int8 int8multirange int8range interval json jsonb jsonpath line lseg macaddr macaddr8
  money name numeric nummultirange numrange oid path pg_dependencies pg_lsn pg_mcv_list pg_ndistinct pg_node_tree pg_snapshot point
  polygon record refcursor regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure regrole
  regtype text tid time timestamp timestamptz timetz tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector txid_snapshot uuid
  varbit varchar void xid xid8 xml int2vector oidvector
`);

export const builtinOperators: ReadonlySet<string> = words(`
  !! !~ !~* !~~ !~~* # ## #- #> #>> % & && &< &<| &> * *< *<= *<> *= *> *>= + - -> ->> -|- / < <-> << <<= <<| <= <> <@ <^ = > >= >> >>=
  >^ ? ?# ?& ?- ?-| ?| ?|| @ @-@ @> @? @@ @@@ ^ ^@ | |&> |/ |>> || ||/ ~ ~* ~<=~ ~<~ ~= ~>=~ ~>~ ~~ ~~*
`);

/** Ways of TABLESAMPLE. */
export const builtinSampleMethods: ReadonlySet<string> = words('bernoulli system');

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/).filter((word) => word !== ''));
}

function byAction(actions: Readonly<Record<`sql:${string}`, string>>): ReadonlyMap<string, `sql:${string}`> {
  return new Map(
    Object.entries(actions).flatMap(([action, names]) => [...words(names)].map((name) => [name, action as `sql:${string}`] as const)),
  );
}
