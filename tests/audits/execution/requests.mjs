// Generates requests that can be executed: valid documents with the values of their variables.

import {
  getNamedType, getNullableType, isCompositeType, isEnumType, isInputObjectType, isListType, isNonNullType,
  isRequiredInputField,
} from 'graphql';

import { Documents } from '../validation/documents.mjs';

export class Requests extends Documents {
  /** The next request. */
  next() {
    const { random } = this;
    this.values = [];
    const query = super.next();
    const names = [...query.matchAll(/(?:query|mutation) (Operation\d+)/g)].map(([, name]) => name);
    const operationName = names.length > 0 ? random.pick(names) : undefined;
    // Variables of one name belong to each operation; those of the chosen one are sent.
    const chosen = names.indexOf(operationName);
    return { query, operationName, variables: this.values.at(chosen) };
  }

  kinds() {
    return ['query', 'query', 'mutation'];
  }

  begin() {
    this.values.push({});
  }

  /** Fields without arguments are often selected twice under one name, which merges them. */
  key(field, key) {
    return field.args.length === 0 && this.random.chance(0.7) ? '' : key;
  }

  directives() {
    const { random } = this;
    if (!random.chance(0.2)) return '';
    const names = random.chance(0.2) ? ['skip', 'include'] : [random.pick(['skip', 'include'])];
    return names.map((name) => ` @${name}(if: ${this.condition()})`).join('');
  }

  condition() {
    const { random } = this;
    if (!random.chance(0.5)) return random.pick(['true', 'false']);
    const name = `v${this.variables.length}`;
    const hasDefault = random.chance(0.3);
    this.variables.push(hasDefault ? `$${name}: Boolean = ${random.chance(0.5)}` : `$${name}: Boolean!`);
    if (!hasDefault || random.chance(0.5)) this.values.at(-1)[name] = random.chance(0.5);
    return `$${name}`;
  }

  variable(type, hasDefault) {
    const { random } = this;
    const name = `v${this.variables.length}`;
    const nullable = getNullableType(type);
    let text = String(type);
    let isNullable = !isNonNullType(type);
    if (!isNullable && hasDefault && random.chance(0.5)) {
      text = text.slice(0, -1);
      isNullable = true;
    } else if (isNullable && random.chance(0.3)) {
      text += '!';
      isNullable = false;
    }
    const withDefault = random.chance(0.2);
    this.variables.push(`$${name}: ${text}${withDefault ? ` = ${this.constant(nullable)}` : ''}`);
    const values = this.values.at(-1);
    if ((isNullable || withDefault) && random.chance(0.3)) return `$${name}`;
    values[name] = isNullable && random.chance(0.2) ? null : this.json(nullable, 0);
    // Rarely a value that does not fit.
    if (random.chance(0.005)) values[name] = { unknown: [] };
    return `$${name}`;
  }

  /** A literal without variables. */
  constant(type) {
    const { values, variables } = this;
    this.isConstant = true;
    const text = isListType(type) ? `[${this.constant(getNullableType(type.ofType))}]` : this.literal(type, 2);
    this.isConstant = false;
    Object.assign(this, { values, variables });
    return text;
  }

  value(type, hasDefault, depth) {
    if (this.isConstant) return isListType(getNullableType(type)) ? '[]' : this.literal(getNullableType(type), depth);
    return super.value(type, hasDefault, depth);
  }

  /** A value of a variable. */
  json(type, depth) {
    const { random } = this;
    const nullable = getNullableType(type);
    if (!isNonNullType(type) && depth > 0 && random.chance(0.15)) return null;
    if (isListType(nullable)) {
      if (random.chance(0.2)) return this.json(getNullableType(nullable.ofType), depth);
      return Array.from({ length: random.below(3) }, () => this.json(nullable.ofType, depth + 1));
    }
    if (isEnumType(nullable)) return random.pick(nullable.getValues()).name;
    if (isInputObjectType(nullable)) {
      const fields = Object.values(nullable.getFields());
      if (nullable.isOneOf) {
        const field = random.pick(fields);
        return { [field.name]: this.json(getNullableType(field.type), depth + 1) };
      }
      const given = fields.filter((field) => isRequiredInputField(field) || (depth < 2 && random.chance(0.5)));
      return Object.fromEntries(given.map((field) => [field.name, this.json(field.type, depth + 1)]));
    }
    switch (nullable.name) {
      case 'Int': return random.pick([0, 1, -5, 2147483647, -2147483648]);
      case 'Float': return random.pick([0, 1.5, -1e10, 6.02e23, 7]);
      case 'Boolean': return random.chance(0.5);
      case 'ID': return random.pick(['usr_1', 7, '', '99999999999999999999999']);
      default: return random.pick(['text', '', 'é\n', '😀', '"quoted"']);
    }
  }

  field(field, depth, key) {
    const named = getNamedType(field.type);
    const directives = this.directives();
    const set = isCompositeType(named) ? ` ${this.selections(named, depth + 1)}` : '';
    return `${key}${field.name}${this.arguments(field.args)}${directives}${set}`;
  }
}
