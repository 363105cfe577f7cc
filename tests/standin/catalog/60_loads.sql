-- What COPY leaves behind. Rows are written outside the client's transaction.
create sequence pg_standin.query_id start 1001;
create table pg_standin.load_error (
    user_id oid, query_id bigint, session_id integer, database_name text, table_id oid,
    start_time timestamp, file_name text, line_number bigint, column_name text, column_type text,
    column_length text, position integer, error_code integer, error_message text, raw_line text,
    raw_value text
);
create table pg_standin.load (
    user_id oid, query_id bigint, session_id integer, database_name text, table_name text,
    status text, start_time timestamp, end_time timestamp, data_source text, file_format text,
    loaded_rows bigint, loaded_bytes bigint, file_count integer, error_count integer
);
create table pg_standin.load_file (query_id bigint, file_name text, lines bigint);
grant all on all tables in schema pg_standin to public;

create view pg_catalog.stl_load_errors as
select user_id as userid, 0 as slice, table_id as tbl, start_time as starttime,
    session_id as session, query_id as query, file_name::char(256) as filename, line_number,
    column_name::char(127) as colname, column_type::char(10) as type,
    column_length::char(10) as col_length, position,
    pg_standin.byte_prefix(raw_line, 1024)::char(1024) as raw_line,
    pg_standin.byte_prefix(raw_value, 1024)::char(1024) as raw_field_value,
    error_code as err_code, error_message::char(100) as err_reason
from pg_standin.load_error;
create view pg_catalog.sys_load_error_detail as
select user_id, query_id, 0::bigint as transaction_id, session_id, database_name, table_id,
    start_time, file_name, line_number, column_name, column_type, column_length, position,
    error_code, error_message
from pg_standin.load_error;
create view pg_catalog.sys_load_history as
select user_id, query_id, 0::bigint as transaction_id, session_id, database_name, status,
    table_name, start_time, end_time,
    (extract(epoch from end_time) - extract(epoch from start_time)) * 1000000 as duration,
    data_source, file_format, loaded_rows, loaded_bytes, 0::bigint as source_file_count,
    0::bigint as source_file_bytes, file_count as file_count_scanned, 0::bigint as file_bytes_scanned,
    error_count
from pg_standin.load;
create view pg_catalog.stl_load_commits as
select query_id as query, 0 as slice, file_name::char(256) as filename, lines as lines_scanned,
    1 as status
from pg_standin.load_file;
grant select on all tables in schema pg_catalog to public;
