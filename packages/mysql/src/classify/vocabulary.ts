/**
 * What the names of MySQL and MariaDB do that keeps a statement from being a read, and which are known to be harmless.
 *
 * The built-in functions are those of MariaDB's `information_schema.SQL_FUNCTIONS` and of the MySQL 8.4 reference manual,
 * chapter 14. What is not listed may be a stored function, which may write.
 */

function words(list: string): ReadonlySet<string> {
  return new Set(list.trim().split(/\s+/));
}

/** Functions whose effect or answer belongs to one connection. */
export const SESSION_FUNCTIONS: ReadonlySet<string> = words(`
  connection_id last_insert_id found_rows row_count get_lock release_lock release_all_locks lastval
  ps_current_thread_id current_role roles_graphml
`);

/** Functions that write, wait for a node's own state, or tell it. */
export const WRITE_FUNCTIONS: ReadonlySet<string> = words(`
  nextval setval master_pos_wait master_gtid_wait source_pos_wait wait_for_executed_gtid_set
  wait_until_sql_thread_after_gtids binlog_gtid_pos load_file is_free_lock is_used_lock
  wsrep_last_seen_gtid wsrep_last_written_gtid wsrep_sync_wait_upto_gtid
`);

/** Functions and types before a parenthesis that change nothing and mean the same on every node. */
export const HARMLESS: ReadonlySet<string> = words(`
  abs acos adddate addtime add_months aes_decrypt aes_encrypt any_value ascii asin atan atan2 avg benchmark bin
  bin_to_uuid bit_and bit_count bit_length bit_or bit_xor cast ceil ceiling char character_length char_length charset chr
  coalesce coercibility collation column_add column_check column_create column_delete column_exists column_get column_json
  column_list compress concat concat_ws conv convert convert_tz cos cot count crc32 crc32c cume_dist curdate current_date
  current_time current_timestamp current_user curtime database date datediff date_add date_format date_sub day dayname
  dayofmonth dayofweek dayofyear decode default degrees dense_rank des_decrypt des_encrypt elt encode encrypt exp export_set
  extract extractvalue field find_in_set first_value floor format format_bytes format_pico_time from_base64 from_days
  from_unixtime geomcollection geometrycollection get_format greatest group_concat grouping gtid_subset gtid_subtract hex hour
  if ifnull inet6_aton inet6_ntoa inet_aton inet_ntoa insert instr interval isnull is_ipv4 is_ipv4_compat is_ipv4_mapped
  is_ipv6 is_uuid json_array json_arrayagg json_array_append json_array_insert json_compact json_contains
  json_contains_path json_depth json_detailed json_equals json_exists json_extract json_insert json_keys json_length
  json_loose json_merge json_merge_patch json_merge_preserve json_normalize json_object json_objectagg json_overlaps
  json_pretty json_query json_quote json_remove json_replace json_schema_valid json_schema_validation_report json_search
  json_set json_storage_free json_storage_size json_table json_type json_unquote json_valid json_value lag last_day
  last_value lcase lead least left length lengthb linestring ln localtime localtimestamp locate log log10 log2 lower lpad
  ltrim makedate maketime make_set match max mbrcontains mbrcoveredby mbrcovers mbrdisjoint mbrequals mbrintersects
  mbroverlaps mbrtouches mbrwithin md5 median microsecond mid min minute mod month monthname multilinestring multipoint
  multipolygon name_const natural_sort_key now nth_value ntile nullif nvl nvl2 oct octet_length ord percentile_cont
  percentile_disc percent_rank period_add period_diff pi point polygon position pow power quarter quote radians rand
  random_bytes rank regexp_instr regexp_like regexp_replace regexp_substr repeat replace reverse right round row_number rpad
  rtrim schema second sec_to_time session_user sformat sha sha1 sha2 sign sin sleep soundex space sqrt statement_digest
  statement_digest_text std stddev stddev_pop stddev_samp strcmp str_to_date st_area st_asbinary st_asgeojson st_astext
  st_aswkb st_aswkt st_buffer st_buffer_strategy st_centroid st_collect st_contains st_convexhull st_crosses st_difference
  st_dimension st_disjoint st_distance st_distance_sphere st_endpoint st_envelope st_equals st_exteriorring st_geohash
  st_geomcollfromtext st_geometryfromtext st_geometryn st_geometrytype st_geomfromgeojson st_geomfromtext st_geomfromwkb
  st_interiorringn st_intersection st_intersects st_isclosed st_isempty st_issimple st_isvalid st_latfromgeohash st_latitude
  st_length st_linefromtext st_longfromgeohash st_longitude st_makeenvelope st_numgeometries st_numinteriorrings
  st_numpoints st_overlaps st_point st_pointfromgeohash st_pointfromtext st_pointn st_polyfromtext st_simplify st_srid
  st_startpoint st_swapxy st_symdifference st_touches st_transform st_union st_validate st_within st_x st_y subdate substr
  substring substring_index subtime sum sys_guid sysdate system_user tan time timediff timestamp timestampadd timestampdiff
  time_format time_to_sec to_base64 to_char to_days to_seconds trim trim_oracle truncate ucase uncompress
  uncompressed_length unhex unix_timestamp updatexml upper user utc_date utc_time utc_timestamp uuid uuid_short uuid_to_bin
  value values variance var_pop var_samp vec_distance vec_fromtext vec_totext version week weekday weekofyear weight_string
  year yearweek
  binary bit bigint decimal dec double fixed float int integer json nchar numeric nvarchar real signed smallint tinyint
  unsigned varbinary varchar datetime
`);

/** Key words that may stand before a parenthesis and are no calls. */
export const NO_CALLS: ReadonlySet<string> = words(`
  select from where and or xor not in exists any all some join on using over partition by having when then else case like
  rlike regexp between div is limit offset collate returning row lateral table union except intersect minus distinct
  distinctrow as with recursive rollup cube window against for escape index key keys order group separator straight_join inner
  cross left right outer natural end columns path ordinality of use ignore force set within unbounded rows range sounds
  return with_values intervals member
`);

/** Schemas whose views tell the state of one server. */
export const NODE_SCHEMAS: ReadonlySet<string> = words("performance_schema sys mysql ndbinfo");

/** Views of information_schema that tell the state of one server or connection; those of InnoDB are others. */
export const NODE_VIEWS: ReadonlySet<string> = words(`
  processlist global_status session_status global_variables session_variables system_variables profiling user_statistics
  client_statistics index_statistics table_statistics optimizer_trace plugins all_plugins engines files tokudb_locks
  metadata_lock_info query_cache_info query_response_time thread_pool_groups thread_pool_queues thread_pool_stats
  thread_pool_waits user_variables wsrep_membership wsrep_status disks locales
`);

/** Words that begin a statement which touches or depends on one connection. */
export const SESSION_STARTERS: ReadonlySet<string> = words(`
  set use lock unlock prepare execute deallocate begin start commit rollback savepoint release handler xa
`);

/** What SHOW may be followed by when its answer is the same on every node. */
export const SHOWN_EVERYWHERE: ReadonlySet<string> = words(`
  tables columns fields index indexes keys create databases schemas triggers events procedure function character collation
  full extended table grants
`);

/** What SHOW may be followed by when its answer belongs to one connection. */
export const SHOWN_OF_SESSION: ReadonlySet<string> = words(`
  warnings errors variables status session local count profile profiles
`);

/** Words that begin a statement which commits the transaction that is open (MySQL 8.4 reference manual, 15.3.3). */
export const COMMITTING_STARTERS: ReadonlySet<string> = words(`
  commit begin start alter create drop rename truncate analyze cache check flush install uninstall grant revoke optimize
  repair reset lock unlock change stop backup import clone restart shutdown
`);

/** Words that begin a statement which may do anything: what it calls may commit. */
export const CALLING_STARTERS: ReadonlySet<string> = words("call execute");
