// Generates valid documents over a schema: fields, arguments, variables, fragments and directives.

import {
  getNamedType, getNullableType, isCompositeType, isEnumType, isInputObjectType, isListType, isNonNullType,
  isObjectType, isRequiredArgument, isRequiredInputField,
} from 'graphql';

/** Levels of selections. */
const MAX_DEPTH = 4;

export class Documents {
  constructor(schema, random) {
    this.schema = schema;
    this.random = random;
  }

  /** The next document. */
  next() {
    const { random, schema } = this;
    this.fragments = [];
    const kinds = this.kinds();
    const operations = random.chance(0.2) ? 1 + random.below(3) : 1;
    const isAnonymous = operations === 1 && random.chance(0.3);
    const parts = Array.from({ length: operations }, (_, number) => {
      const kind = random.pick(kinds);
      this.begin();
      this.variables = [];
      const root = { query: schema.getQueryType(), mutation: schema.getMutationType() }[kind];
      const set = kind === 'subscription' ? this.subscription() : this.selections(root, 0);
      const name = isAnonymous ? '' : ` Operation${number}`;
      const variables = this.variables.length > 0 ? `(${this.variables.join(', ')})` : '';
      const description = random.chance(0.1) && (name || kind) ? '"Described." ' : '';
      return `${description}${kind}${name}${variables} ${set}`;
    });
    return random.chance(0.5) ? [...parts, ...this.fragments].join('\n') : [...this.fragments, ...parts].join(' ');
  }

  /** The kinds of operations, each as often as it occurs here. */
  kinds() {
    return ['query', 'query', 'query', 'mutation', 'subscription'];
  }

  /** Called at the beginning of each operation. */
  begin() {}

  /** What stands before a field's name: `key`, an alias of its own. */
  key(_field, key) {
    return key;
  }

  subscription() {
    const root = this.schema.getSubscriptionType();
    const field = this.field(this.random.pick(Object.values(root.getFields())), 0, '');
    return this.random.chance(0.3) ? `{ ... on ${root.name} { ${field} } }` : `{ ${field} }`;
  }

  selections(type, depth) {
    const { random } = this;
    const selected = [];
    const fields = 'getFields' in type ? Object.values(type.getFields()) : [];
    const leaves = fields.filter((field) => !isCompositeType(getNamedType(field.type)));
    const choice = depth >= MAX_DEPTH ? leaves : fields;
    for (let number = random.below(4) + 1; number > 0; number -= 1) {
      if (choice.length === 0 || random.chance(0.1)) {
        selected.push('__typename');
      } else {
        const field = random.pick(choice);
        // Names of their own, so that no two fields are to merge that cannot.
        this.aliases = (this.aliases ?? 0) + 1;
        const key = random.chance(0.7) ? `a${this.aliases}: ` : `${field.name}${this.aliases}: `;
        selected.push(this.field(field, depth, this.key(field, key)));
      }
    }
    if (depth < MAX_DEPTH && random.chance(0.3)) selected.push(this.spread(type, depth));
    if (type === this.schema.getQueryType() && random.chance(0.05)) {
      selected.push(`__type(name: "${type.name}") { name kind fields(includeDeprecated: true) { name } }`);
    }
    return `{ ${selected.join(random.chance(0.5) ? ' ' : ', ')} }`;
  }

  /** Fields through a fragment. */
  spread(type, depth) {
    const { random, schema } = this;
    const types = isObjectType(type)
      ? [type, ...type.getInterfaces()]
      : [type, ...schema.getPossibleTypes(type)];
    const within = random.pick(types);
    const directives = this.directives();
    if (random.chance(0.5)) {
      const condition = within === type && random.chance(0.3) ? '' : ` on ${within.name}`;
      return `...${condition}${directives} ${this.selections(within, depth + 1)}`;
    }
    const set = this.selections(within, depth + 1);
    const name = `F${this.fragments.length}`;
    this.fragments.push(`fragment ${name} on ${within.name} ${set}`);
    return `...${name}${directives}`;
  }

  field(field, depth, key) {
    const named = getNamedType(field.type);
    const set = isCompositeType(named) ? ` ${this.selections(named, depth + 1)}` : '';
    return `${key}${field.name}${this.arguments(field.args)}${depth === 0 ? '' : this.directives()}${set}`;
  }

  arguments(args) {
    const given = args.filter((arg) => isRequiredArgument(arg) || this.random.chance(0.4));
    const texts = given.map((arg) => `${arg.name}: ${this.value(arg.type, arg.defaultValue !== undefined, 0)}`);
    return texts.length > 0 ? `(${texts.join(', ')})` : '';
  }

  directives() {
    if (!this.random.chance(0.1)) return '';
    const name = this.random.pick(['skip', 'include']);
    const value = this.random.pick(['true', 'false', '$']);
    // Fragments are shared by operations that have other variables.
    return ` @${name}(if: ${value === '$' ? 'true' : value})`;
  }

  /** A literal or a variable of this type. */
  value(type, hasDefault, depth) {
    const { random } = this;
    if (this.variables && this.fragments.length === 0 && random.chance(0.25) && !this.isShared) {
      return this.variable(type, hasDefault);
    }
    if (!isNonNullType(type) && random.chance(0.1)) return 'null';
    const nullable = getNullableType(type);
    if (isListType(nullable)) {
      if (random.chance(0.2)) return this.literal(getNamedType(nullable), depth);
      return `[${Array.from({ length: random.below(3) }, () => this.value(nullable.ofType, false, depth)).join(', ')}]`;
    }
    return this.literal(nullable, depth);
  }

  literal(type, depth) {
    const { random } = this;
    if (isEnumType(type)) return random.pick(type.getValues()).name;
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields());
      const given = fields.filter((field) => isRequiredInputField(field) || (depth < 2 && random.chance(0.4)));
      const chosen = type.isOneOf ? [random.pick(fields)] : given;
      const texts = chosen.map((field) => {
        const value = type.isOneOf
          ? this.literal(getNamedType(field.type), depth + 1)
          : this.value(field.type, field.defaultValue !== undefined, depth + 1);
        return `${field.name}: ${value}`;
      });
      return `{ ${texts.join(', ')} }`;
    }
    switch (type.name) {
      case 'Int': return random.pick(['0', '1', '-5', '2147483647', '-2147483648']);
      case 'SafeInt': return random.pick(['0', '9007199254740991', '-9007199254740991']);
      case 'Float': return random.pick(['0', '1.5', '-1e10', '6.02E+23', '99999999999999999999999']);
      case 'Boolean': return random.pick(['true', 'false']);
      case 'ID': return random.pick(['"usr_1"', '7', '""', '9223372036854775807', '99999999999999999999']);
      case 'DateTime': return '"2026-01-31T12:00:00Z"';
      case 'URL': return '"https://example.org/"';
      // No literal stands for a file.
      case 'Upload': return this.variable(type, false);
      default: return random.pick(['"text"', '"\\u00e9\\n"', '"\\u{1F600}"', '"\\uD83D\\uDE00"', '"""block "quote" """']);
    }
  }

  variable(type, hasDefault) {
    const { random } = this;
    const name = `v${this.variables.length}`;
    let text = String(type);
    if (isNonNullType(type) && hasDefault && random.chance(0.5)) text = text.slice(0, -1);
    if (!isNonNullType(type) && random.chance(0.3)) text += '!';
    this.variables.push(`$${name}: ${text}`);
    return `$${name}`;
  }
}
