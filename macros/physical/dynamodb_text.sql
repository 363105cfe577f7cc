{#- A DynamoDB attribute at `path` as text: a string (S), a number (N, up to 38 digits, as DynamoDB
    writes it), a boolean (BOOL: true, false) or a binary (B, in base64). Null where it is missing,
    NULL, or of a type that holds others. Those are read so, with the attribute's path:
      M           one more pair of names: path + ['M', 'latitude'], which is an attribute again
      L           json_elements(…, path + ['L'], 'element'); dynamodb_text('element', [])
      SS, NS, BS  json_elements(…, path + ['SS'], 'element'); json_text('element', []) -#}
{% macro dynamodb_text(document, path) -%}
    coalesce(
        {%- for type in ['S', 'N', 'BOOL', 'B'] %}
        {{ json_text(document, path + [type]) }}{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
