/**
 * What the built-in names do that keeps a statement from being a read.
 *
 * Three kinds of name are listed: functions that touch or depend on the state of one connection ("session"), functions that
 * change something or answer differently on another node ("write"), and the views of both kinds. A read goes to any
 * connection of any node, so a name whose answer depends on which one it is does not belong in a read.
 */

/** Functions whose effect or answer belongs to one connection. */
export const sessionFunctions: readonly string[] = words(`
  currval lastval set_config current_setting setseed
  pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared
  pg_try_advisory_lock pg_try_advisory_lock_shared
  pg_backend_pid pg_my_temp_schema pg_is_other_temp_schema pg_export_snapshot pg_client_encoding
  pg_listening_channels pg_cursor pg_prepared_statement pg_show_all_settings pg_get_backend_memory_contexts
  pg_stat_clear_snapshot pg_stat_get_snapshot_timestamp pg_stat_force_next_flush
  inet_client_addr inet_client_port cursor_to_xml cursor_to_xmlschema
  pg_replication_origin_session_is_setup pg_replication_origin_session_progress
  pg_replication_origin_session_reset pg_replication_origin_session_setup
  pg_replication_origin_xact_reset pg_replication_origin_xact_setup
  dblink_connect dblink_connect_u dblink_disconnect dblink_open dblink_fetch dblink_close dblink_send_query
  dblink_get_result dblink_is_busy dblink_cancel_query dblink_error_message dblink_get_connections dblink_get_notify
`);

/**
 * Functions that write, run a text that may, or answer from the state of one node.
 *
 * Names that start with `pg_` need no entry unless they are to be caught without parentheses (`x.name`): a call of a `pg_`
 * name that is not known to be harmless is never a read.
 */
export const writeFunctions: readonly string[] = words(`
  nextval setval txid_current txid_status pg_current_xact_id pg_xact_status pg_current_snapshot txid_current_snapshot
  pg_notify pg_nextoid pg_sequence_last_value pg_get_sequence_data pg_advisory_xact_lock pg_advisory_xact_lock_shared
  pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared
  lo_close lo_creat lo_create lo_export lo_from_bytea lo_get lo_import lo_lseek lo_lseek64 lo_open lo_put lo_tell lo_tell64
  lo_truncate lo_truncate64 lo_unlink loread lowrite lo_manage
  query_to_xml query_to_xmlschema query_to_xml_and_xmlschema table_to_xml table_to_xmlschema table_to_xml_and_xmlschema
  schema_to_xml schema_to_xmlschema schema_to_xml_and_xmlschema
  database_to_xml database_to_xmlschema database_to_xml_and_xmlschema
  ts_stat ts_rewrite currtid2 inet_server_addr inet_server_port
  brin_desummarize_range brin_summarize_new_values brin_summarize_range gin_clean_pending_list
  fmgr_c_validator fmgr_internal_validator fmgr_sql_validator
  pg_switch_wal pg_switch_xlog pg_create_restore_point pg_terminate_backend pg_cancel_backend pg_reload_conf
  pg_rotate_logfile pg_promote pg_import_system_collations pg_log_backend_memory_contexts pg_log_standby_snapshot
  pg_wal_replay_pause pg_wal_replay_resume pg_is_in_recovery pg_is_wal_replay_paused pg_get_wal_replay_pause_state
  pg_current_wal_lsn pg_current_wal_insert_lsn pg_current_wal_flush_lsn pg_last_wal_receive_lsn pg_last_wal_replay_lsn
  pg_last_xact_replay_timestamp pg_last_committed_xact pg_walfile_name pg_walfile_name_offset pg_split_walfile_name
  pg_replication_origin_oid pg_get_replication_slots pg_show_replication_origin_status
  pg_conf_load_time pg_numa_available pg_postmaster_start_time pg_config pg_tablespace_location
  pg_read_file pg_read_binary_file pg_stat_file pg_ls_dir dblink dblink_exec dblink_build_sql_insert
  crosstab crosstab2 crosstab3 crosstab4 connectby xpath_table
`);

/** Families of function names, by how they begin, none of which may be part of a read. */
export const writePrefixes: readonly string[] = words(`
  pg_stat_get_ pg_stat_reset binary_upgrade_ pg_event_trigger_ pg_logical_ pg_replication_ pg_control_ lo_ dblink_
`);

/** Catalog views that show the state of one connection. */
export const sessionRelations: readonly string[] = words(`
  pg_settings pg_cursors pg_prepared_statements pg_listening_channels pg_backend_memory_contexts pg_temp
`);

/** Catalog views that show the state of one node, not of the replicated data; `pg_stat_…` and `pg_statio_…` are others. */
export const writeRelations: readonly string[] = words(`
  pg_locks pg_replication_slots pg_replication_origin_status pg_prepared_xacts pg_sequences
  pg_file_settings pg_hba_file_rules pg_ident_file_mappings pg_shmem_allocations pg_shmem_allocations_numa pg_aios
  pg_config pg_buffercache pg_stat_statements
`);

/** Volatile built-in functions that change nothing and mean the same on every node. */
export const harmlessVolatile: readonly string[] = words(`
  random random_normal gen_random_uuid uuidv4 uuidv7 clock_timestamp timeofday pg_sleep pg_sleep_for pg_sleep_until
  array_sample array_shuffle amvalidate current_query bernoulli system
  pg_relation_size pg_table_size pg_indexes_size pg_total_relation_size pg_database_size pg_tablespace_size
  pg_partition_ancestors pg_partition_tree
`);

/** Columns that only a sequence has: a replica's copy of a sequence is up to 32 values ahead. */
export const sequenceColumns: readonly string[] = words("last_value log_cnt is_called");

/** Splits a blank-separated list. */
export function words(list: string): readonly string[] {
  return list.trim().split(/\s+/);
}
