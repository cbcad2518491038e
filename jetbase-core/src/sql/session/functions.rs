//! Built-in functions that leave nothing in a session. Each list is sorted by bytes.

/// The functions that every dialect has.
#[rustfmt::skip]
pub(super) const COMMON: [&str; 51] = [
    "abs", "acos", "asin", "atan", "atan2", "avg", "ceil", "ceiling", "coalesce", "concat",
    "concat_ws", "cos", "count", "cume_dist", "current_timestamp", "degrees", "dense_rank", "exp",
    "first_value", "floor", "lag", "last_value", "lead", "length", "ln", "lower", "ltrim", "max",
    "min", "mod", "nth_value", "ntile", "nullif", "percent_rank", "pi", "pow", "power", "radians",
    "rank", "replace", "round", "row_number", "rtrim", "sign", "sin", "sqrt", "substr", "sum",
    "tan", "trim", "upper",
];

/// The functions that only PostgreSQL has.
#[rustfmt::skip]
pub(super) const POSTGRES: [&str; 222] = [
    "age", "array_agg", "array_append", "array_cat", "array_length", "array_lower",
    "array_position", "array_positions", "array_prepend", "array_remove", "array_replace",
    "array_to_json", "array_to_string", "array_upper", "ascii", "bit_and", "bit_length", "bit_or",
    "bool_and", "bool_or", "bpchar", "btrim", "cardinality", "char_length", "character_length",
    "chr", "clock_timestamp", "col_description", "convert_from", "convert_to", "corr",
    "current_database", "current_schema", "current_schemas", "current_setting", "current_time",
    "date", "date_bin", "date_part", "date_trunc", "daterange", "decode", "div", "encode",
    "every", "extract", "format", "format_type", "gcd", "gen_random_uuid", "generate_series",
    "generate_subscripts", "get_bit", "greatest", "grouping", "has_column_privilege",
    "has_schema_privilege", "has_table_privilege", "hashtext", "hashtextextended", "initcap",
    "int4range", "int8range", "isempty", "isfinite", "json_agg", "json_array_elements",
    "json_array_elements_text", "json_array_length", "json_build_array", "json_build_object",
    "json_each", "json_each_text", "json_extract_path", "json_extract_path_text", "json_object",
    "json_object_agg", "json_object_keys", "json_populate_record", "json_strip_nulls",
    "json_typeof", "jsonb_agg", "jsonb_array_elements", "jsonb_array_elements_text",
    "jsonb_array_length", "jsonb_build_array", "jsonb_build_object", "jsonb_each",
    "jsonb_each_text", "jsonb_extract_path", "jsonb_extract_path_text", "jsonb_insert",
    "jsonb_object", "jsonb_object_agg", "jsonb_object_keys", "jsonb_path_exists",
    "jsonb_path_query", "jsonb_path_query_array", "jsonb_path_query_first", "jsonb_pretty",
    "jsonb_set", "jsonb_strip_nulls", "jsonb_typeof", "justify_days", "justify_hours",
    "justify_interval", "lcm", "least", "left", "localtime", "localtimestamp", "log", "lower_inc",
    "lpad", "make_date", "make_interval", "make_time", "make_timestamp", "make_timestamptz",
    "md5", "mode", "now", "num_nonnulls", "num_nulls", "numnode", "numrange", "obj_description",
    "octet_length", "overlay", "percentile_cont", "percentile_disc", "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared", "pg_column_size", "pg_get_constraintdef", "pg_get_expr",
    "pg_get_functiondef", "pg_get_indexdef", "pg_get_serial_sequence", "pg_get_viewdef",
    "pg_notify", "pg_relation_size", "pg_size_pretty", "pg_sleep", "pg_table_is_visible",
    "pg_table_size", "pg_total_relation_size", "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared", "pg_typeof", "phraseto_tsquery", "plainto_tsquery",
    "position", "quote_ident", "quote_literal", "quote_nullable", "random", "regexp_match",
    "regexp_matches", "regexp_replace", "regexp_split_to_array", "regexp_split_to_table",
    "repeat", "reverse", "right", "row_to_json", "rpad", "scale", "set_bit", "setweight",
    "sha224", "sha256", "sha384", "sha512", "shobj_description", "split_part", "starts_with",
    "statement_timestamp", "stddev", "stddev_pop", "stddev_samp", "string_agg", "string_to_array",
    "strip", "strpos", "substring", "timeofday", "timestamptz", "timetz", "timezone", "to_char",
    "to_date", "to_hex", "to_json", "to_jsonb", "to_number", "to_regclass", "to_regtype",
    "to_timestamp", "to_tsquery", "to_tsvector", "transaction_timestamp", "translate", "trunc",
    "ts_headline", "ts_rank", "tsrange", "tstzrange", "tsvector_to_array", "txid_current",
    "unnest", "upper_inc", "var_pop", "var_samp", "varbit", "variance", "version",
    "websearch_to_tsquery", "width_bucket", "xmlagg", "xmlelement", "xmlforest",
];

/// The functions that only MySQL and MariaDB have, and their types.
#[rustfmt::skip]
pub(super) const MYSQL: [&str; 251] = [
    "adddate", "addtime", "aes_decrypt", "aes_encrypt", "any_value", "ascii", "bigint", "bin",
    "bin_to_uuid", "binary", "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor", "blob",
    "cast", "char", "char_length", "character_length", "charset", "coercibility", "collation",
    "compress", "connection_id", "conv", "convert", "convert_tz", "crc32", "curdate",
    "current_date", "current_role", "current_time", "current_user", "curtime", "database", "date",
    "date_add", "date_format", "date_sub", "datediff", "datetime", "day", "dayname", "dayofmonth",
    "dayofweek", "dayofyear", "default", "double", "elt", "enum", "export_set", "extract",
    "field", "find_in_set", "format", "format_bytes", "from_base64", "from_days", "from_unixtime",
    "geometry", "geometrycollection", "get_format", "greatest", "group_concat", "grouping", "hex",
    "hour", "if", "ifnull", "inet6_aton", "inet6_ntoa", "inet_aton", "inet_ntoa", "insert",
    "instr", "int", "integer", "interval", "is_free_lock", "is_ipv4", "is_ipv6", "is_used_lock",
    "is_uuid", "isnull", "json_array", "json_array_append", "json_array_insert", "json_arrayagg",
    "json_compact", "json_contains", "json_contains_path", "json_depth", "json_detailed",
    "json_exists", "json_extract", "json_insert", "json_keys", "json_length", "json_merge",
    "json_merge_patch", "json_merge_preserve", "json_object", "json_objectagg", "json_overlaps",
    "json_pretty", "json_query", "json_quote", "json_remove", "json_replace", "json_schema_valid",
    "json_search", "json_set", "json_storage_size", "json_table", "json_type", "json_unquote",
    "json_valid", "json_value", "last_day", "lcase", "least", "left", "linestring", "localtime",
    "localtimestamp", "locate", "log", "log10", "log2", "longblob", "longtext", "lpad",
    "make_set", "makedate", "maketime", "md5", "mediumint", "mediumtext", "microsecond", "mid",
    "minute", "month", "monthname", "multilinestring", "multipoint", "multipolygon", "name_const",
    "now", "numeric", "nvl", "nvl2", "oct", "octet_length", "ord", "percentile_cont",
    "period_add", "period_diff", "point", "polygon", "position", "quarter", "quote", "rand",
    "random_bytes", "real", "regexp_instr", "regexp_like", "regexp_replace", "regexp_substr",
    "repeat", "reverse", "right", "rpad", "schema", "sec_to_time", "second", "session_user",
    "set", "sha", "sha1", "sha2", "sleep", "smallint", "soundex", "space", "st_asgeojson",
    "st_astext", "st_contains", "st_distance", "st_distance_sphere", "st_geomfromgeojson",
    "st_geomfromtext", "st_intersects", "st_latitude", "st_longitude", "st_pointfromtext",
    "st_srid", "st_within", "st_x", "st_y", "std", "stddev", "stddev_pop", "stddev_samp",
    "str_to_date", "strcmp", "subdate", "substring", "substring_index", "subtime", "sysdate",
    "system_user", "text", "time", "time_format", "time_to_sec", "timediff", "timestamp",
    "timestampadd", "timestampdiff", "tinyint", "tinytext", "to_base64", "to_char", "to_days",
    "to_seconds", "truncate", "ucase", "uncompress", "unhex", "unix_timestamp", "user",
    "utc_date", "utc_time", "utc_timestamp", "uuid", "uuid_short", "uuid_to_bin", "value",
    "var_pop", "var_samp", "varbinary", "variance", "version", "week", "weekday", "weekofyear",
    "weight_string", "year", "yearweek",
];

/// The functions that only SQLite has, and the types that its users write.
#[rustfmt::skip]
pub(super) const SQLITE: [&str; 72] = [
    "bigint", "blob", "bm25", "boolean", "char", "date", "datetime", "double", "format", "glob",
    "group_concat", "hex", "highlight", "ifnull", "iif", "instr", "int", "integer", "json",
    "json_array", "json_array_length", "json_each", "json_error_position", "json_extract",
    "json_group_array", "json_group_object", "json_insert", "json_object", "json_patch",
    "json_quote", "json_remove", "json_replace", "json_set", "json_tree", "json_type",
    "json_valid", "jsonb", "julianday", "like", "likelihood", "likely", "log", "log10", "log2",
    "nvarchar", "octet_length", "printf", "quote", "raise", "random", "randomblob", "real",
    "snippet", "soundex", "sqlite_compileoption_used", "sqlite_source_id", "sqlite_version",
    "strftime", "string_agg", "substring", "text", "time", "timediff", "total", "trunc", "typeof",
    "unhex", "unicode", "unixepoch", "unlikely", "varying", "zeroblob",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_functions_are_sorted() {
        let lists: [&[&str]; 4] = [&COMMON, &POSTGRES, &MYSQL, &SQLITE];
        assert!(lists.iter().all(|list| list.is_sorted()));
    }
}
