/** @odoo-module **/

// Reads a rule as far as an editor needs it: tokens with their meaning, and what may be written at a place.
// Plain functions without the web client. Whether a rule is right is decided by the server alone.
//
// The vocabulary is what `spp.rule.editor_vocabulary` gives. What stands before a dot has a type here:
// {type, scope}; `scope` names the list of what may follow the dot.

const TOKEN =
    /(?<comment>\/\/[^\n]*)|(?<string>'(?:\\.|[^'\\\n])*'?|"(?:\\.|[^"\\\n])*"?)|(?<number>(?:\d+\.\d+|\d+)(?:[eE][+-]?\d+)?)|(?<name>[A-Za-z_]\w*)|(?<space>\s+)|(?<operator>&&|\|\||[<>=!]=|[\s\S])/gu;
const LITERALS = { true: "bool", false: "bool", null: "null" };

const typeOf = ({ type, scope }) => ({ type, scope });

class Reader {
    constructor(vocabulary) {
        this.vocabulary = vocabulary;
        this.last = null; // type of what was just read, if something may follow it
        this.receiver = null; // type of what stands before the dot just read
        this.afterDot = false;
        this.call = null; // the function whose bracket comes next
        this.brackets = []; // open ones: {call, macro, item}
    }

    /** The meaning of a token: what it is shown as. */
    read(kind, text, next) {
        if (kind === "space" || kind === "comment") {
            return kind;
        }
        const afterDot = this.afterDot;
        this.afterDot = false;
        if (kind === "name") {
            return afterDot ? this.readMember(text, next) : this.readName(text, next);
        }
        if (kind === "operator") {
            this.readOperator(text);
            return kind;
        }
        this.last = { type: kind === "string" ? "string" : "number" };
        return kind;
    }

    readMember(text, next) {
        const receiver = this.receiver;
        if (next === "(") {
            this.last = null;
            this.call = this.methods(receiver).find(({ name }) => name === text);
            return this.call ? "function" : "unknown";
        }
        const entry = this.members(receiver).find(({ name }) => name === text);
        this.last = entry ? typeOf(entry) : null;
        if (!entry) {
            return "unknown";
        }
        return receiver.scope === "variables" ? "variable" : "field";
    }

    readName(text, next) {
        this.last = null;
        if (next === "(" && text !== "in") {
            this.call = this.functions().find(({ name }) => name === text);
            return this.call ? "function" : "unknown";
        }
        if (text in LITERALS) {
            this.last = { type: LITERALS[text] };
            return "literal";
        }
        if (text === "in") {
            return "operator";
        }
        if (this.isDeclaration()) {
            this.brackets.at(-1).item = text;
            return "root";
        }
        const known = this.names().find(({ name }) => name === text);
        this.last = known ? typeOf(known) : null;
        return known ? "root" : "unknown";
    }

    readOperator(text) {
        if (text === ".") {
            this.receiver = this.last;
            this.afterDot = true;
        } else if (text === "(" || text === "[" || text === "{") {
            const call = text === "(" ? this.call : null;
            const macro = Boolean(call && call.arguments.startsWith("m,"));
            this.brackets.push({ call, macro, list: this.receiver, item: "", first: true });
        } else if (text === ")" || text === "]" || text === "}") {
            const closed = this.brackets.pop();
            this.call = null;
            if (closed && closed.call) {
                const { result } = closed.call;
                this.last = result === "list" ? closed.list : { type: result };
            } else if (text !== ")") {
                this.last = null;
            }
            return;
        } else if (text === "," && this.brackets.length) {
            this.brackets.at(-1).first = false;
        }
        this.last = null;
        this.call = null;
    }

    /** Whether a name here is the macro's own name for each item: `m` in `filter(m, …)`. */
    isDeclaration() {
        const bracket = this.brackets.at(-1);
        return Boolean(bracket && bracket.macro && bracket.first);
    }

    /** Names that stand alone: roots, and what macros call their items here. */
    names() {
        const items = this.brackets
            .filter(({ item, first }) => item && !first)
            .map(({ item, list }) => ({
                name: item,
                type: "record",
                scope: list && list.scope,
                help: "",
            }));
        return [...items.reverse(), ...this.vocabulary.roots];
    }

    members(receiver) {
        const scope = receiver && receiver.type !== "list" && receiver.scope;
        return (scope && this.vocabulary.scopes[scope]) || [];
    }

    methods(receiver) {
        return receiver && receiver.type ? this.functions(receiver.type) : [];
    }

    /** Functions that are called on something of this type; without one, those that stand alone. */
    functions(type) {
        return this.vocabulary.functions.filter(({ receivers }) =>
            type ? receivers.includes(type) : !receivers.length
        );
    }
}

function* lex(text) {
    const found = [...text.matchAll(TOKEN)].map((match) => ({
        text: match[0],
        start: match.index,
        kind: Object.keys(match.groups).find((kind) => match.groups[kind] !== undefined),
    }));
    const solid = found.filter(({ kind }) => kind !== "space" && kind !== "comment");
    let passed = 0;
    for (const token of found) {
        if (token === solid[passed]) {
            passed++;
        }
        yield { ...token, next: solid[passed] ? solid[passed].text : "" };
    }
}

/** [{text, start, meaning}] of the whole text, without gaps. */
export function tokenize(text, vocabulary) {
    const reader = new Reader(vocabulary);
    return [...lex(text)].map(({ text, start, kind, next }) => ({
        text,
        start,
        meaning: reader.read(kind, text, next),
    }));
}

/**
 * What may be written at `caret`: {start, end, choices}, or null. `start` to `end` is what a choice replaces; a choice
 * is {name, type, help, insert, caret}, `caret` being where to go on writing within what was inserted.
 * Without a letter or a dot before the caret nothing is offered, unless `asked`.
 */
export function complete(text, caret, vocabulary, asked = false) {
    const prefix = /(?:[A-Za-z_]\w*)?$/.exec(text.slice(0, caret))[0];
    const start = caret - prefix.length;
    const reader = new Reader(vocabulary);
    for (const token of lex(text.slice(0, start))) {
        const end = token.start + token.text.length;
        if (end === start && !isClosed(token)) {
            return null;
        }
        reader.read(token.kind, token.text, token.next);
    }
    if (!(prefix || reader.afterDot || asked) || (!reader.afterDot && reader.isDeclaration())) {
        return null;
    }
    const rest = text.slice(caret);
    const tail = /^\w*/.exec(rest)[0];
    const called = /^\s*\(/.test(rest.slice(tail.length));
    const wanted = prefix.toLowerCase();
    const choices = offered(reader, vocabulary)
        .filter(({ name }) => name.toLowerCase().includes(wanted))
        .map((choice) => insertion(choice, called));
    choices.sort((one, other) => rank(other, wanted) - rank(one, wanted));
    const written = prefix + tail;
    const complete = choices.length === 1 && choices[0].name === written && !asked;
    return choices.length && !complete ? { start, end: caret + tail.length, choices } : null;
}

/** Whether something new may begin right after this token. */
function isClosed({ kind, text }) {
    if (kind === "string") {
        return /^(['"])(?:\\.|(?!\1).)*\1$/.test(text);
    }
    return kind !== "comment" && kind !== "number";
}

function rank({ name }, wanted) {
    return name.toLowerCase().startsWith(wanted) ? 1 : 0;
}

function offered(reader, vocabulary) {
    const words = ({ type }) => vocabulary.types[type] || type;
    const asChoice = (entry) => ({ ...entry, type: words(entry) });
    const asCall = (entry) => ({ ...entry, type: words({ type: entry.result }), isCall: true });
    if (reader.afterDot) {
        const { receiver } = reader;
        return [...reader.members(receiver).map(asChoice), ...reader.methods(receiver).map(asCall)];
    }
    const literals = ["true", "false"].map((name) => ({ name, type: "bool", help: "" }));
    return [
        ...reader.names().map(asChoice),
        ...reader.functions().map(asCall),
        ...literals.map(asChoice),
    ];
}

function insertion(choice, called) {
    const { name, isCall } = choice;
    if (!isCall || called) {
        return { ...choice, insert: name, caret: name.length };
    }
    const begin = choice.arguments.startsWith("m,") ? "m, " : "";
    const insert = `${name}(${begin})`;
    return { ...choice, insert, caret: choice.arguments ? insert.length - 1 : insert.length };
}

/** The offset of a line and column, as the server counts them: from 1, in characters. */
export function offsetOf(text, line, column) {
    const lines = text.split("\n").slice(0, line);
    const last = [...lines.pop()].slice(0, column - 1).join("");
    return lines.reduce((length, passed) => length + passed.length + 1, 0) + last.length;
}
