/** @odoo-module **/

// The editor of a rule: a textarea over a layer that shows the same text in colours. The server says what is wrong
// (0.3 s after the last key) and how many registrants would match,
// or what an amount comes to (after 1 s). Answers that come too late are dropped.

import { _t } from "@web/core/l10n/translation";
import { serializeDate } from "@web/core/l10n/dates";
import { registry } from "@web/core/registry";
import { KeepLast } from "@web/core/utils/concurrency";
import { useService } from "@web/core/utils/hooks";
import { useDebounced } from "@web/core/utils/timing";
import { formatFloat, formatInteger } from "@web/views/fields/formatters";
import { useInputField } from "@web/views/fields/input_field_hook";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { FormViewDialog } from "@web/views/view_dialogs/form_view_dialog";

import { complete, offsetOf, tokenize } from "./cel_language";

import { Component, markRaw, useEffect, useRef, useState } from "@odoo/owl";

const NO_VOCABULARY = { roots: [], scopes: {}, functions: [], types: {} };
const CHECK_DELAY = 300;
const COUNT_DELAY = 1000;

export class CelEditor extends Component {
    static template = "spp_cel.CelEditor";
    static props = {
        ...standardFieldProps,
        placeholder: { type: String, optional: true },
        targetField: { type: String },
        asOfField: { type: String, optional: true },
        // an amount is a number: it is checked as one, and its numbers are amounts
        isAmount: { type: Boolean, optional: true },
    };

    setup() {
        this.orm = useService("orm");
        this.dialog = useService("dialog");
        this.textarea = useRef("textarea");
        this.layer = useRef("layer");
        this.popup = useRef("popup");
        this.vocabularies = {};
        this.lastCheck = new KeepLast();
        this.nextCount = null;
        this.isCounting = false;
        this.isReplacing = false;
        this.state = useState({
            text: this.value,
            vocabulary: markRaw(NO_VOCABULARY),
            problem: null, // {text, message, line, column, suggestion}
            counts: null, // what `editor_count` answered last, or {failed: why}
            isStale: false,
            choices: null, // {start, end, choices}
            chosen: 0,
        });
        this.checkSoon = useDebounced(this.check, CHECK_DELAY);
        this.countSoon = useDebounced(this.count, COUNT_DELAY);
        useInputField({ getValue: () => this.value, refName: "textarea" });
        useEffect(() => {
            // The text may have come from the record: another one was opened, or a change was discarded.
            const { value, textarea } = this;
            this.state.text = textarea.el ? textarea.el.value : value;
        });
        useEffect(
            (target) => {
                this.loadVocabulary(target);
            },
            () => [this.target]
        );
        useEffect(
            () => {
                this.ask();
            },
            () => [this.state.text, this.target, this.asOf, this.props.readonly]
        );
        useEffect(() => this.placePopup());
    }

    get value() {
        return this.props.record.data[this.props.name] || "";
    }

    get target() {
        return this.props.record.data[this.props.targetField];
    }

    get asOf() {
        const date = this.props.asOfField && this.props.record.data[this.props.asOfField];
        return date ? serializeDate(date) : false;
    }

    get id() {
        return this.props.id || `${this.props.name}_cel`;
    }

    // -- what is shown -------------------------------------------------------------------------

    get tokens() {
        const tokens = tokenize(this.state.text, this.state.vocabulary);
        const wrong = this.problemOffset;
        const solid = tokens.filter(({ meaning }) => meaning !== "space");
        const faulty =
            wrong === null
                ? null
                : tokens.find(({ start, text }) => start <= wrong && wrong < start + text.length);
        const marked = faulty && faulty.meaning !== "space" ? faulty : solid.at(-1);
        return tokens.map((token) => ({
            ...token,
            isWrong: wrong !== null && token === marked,
        }));
    }

    /** Where the text as it stands is wrong, or null. */
    get problemOffset() {
        const { problem, text } = this.state;
        return problem && problem.text === text
            ? offsetOf(text, problem.line, problem.column)
            : null;
    }

    /** The name that the suggestion takes the place of: {start, end}, or null. */
    get fix() {
        const start = this.problemOffset;
        if (start === null || !this.state.problem.suggestion) {
            return null;
        }
        const name = /^[A-Za-z_]\w*/.exec(this.state.text.slice(start));
        return name ? { start, end: start + name[0].length } : null;
    }

    get place() {
        const { line, column } = this.state.problem;
        return this.state.text.includes("\n")
            ? _t("Line %s, column %s", line, column)
            : _t("Column %s", column);
    }

    /** Whether there are numbers to show, be it those from before the last change. */
    get hasNumbers() {
        const { counts } = this.state;
        return Boolean(counts && (counts.examples || "computed" in counts));
    }

    get total() {
        if (this.props.isAmount) {
            return this.state.counts.total_people;
        }
        const { eligible, not_eligible, undetermined } = this.state.counts;
        return eligible + not_eligible + undetermined;
    }

    /** The line above the numbers: what they are, or why there are none. */
    get caption() {
        const { counts, isStale, problem, text } = this.state;
        const isGroup = this.target === "group";
        if (!text.trim() && this.props.isAmount) {
            return _t("Write a formula: you will see here what the amounts come to.");
        }
        if (!text.trim()) {
            return isGroup
                ? _t("Write a condition: you will see here how many groups it would reach.")
                : _t("Write a condition: you will see here how many people it would reach.");
        }
        if (problem) {
            return this.hasNumbers
                ? _t("These are the numbers from before the mistake.")
                : _t("The numbers come once it is right.");
        }
        if (isStale || !counts) {
            return _t("Counting…");
        }
        if (counts.too_long) {
            return _t("Counting takes too long for live numbers here.");
        }
        if (counts.failed) {
            return counts.failed;
        }
        const total = formatInteger(this.total);
        return isGroup ? _t("Of %s groups that you may see:", total) : _t("Of %s people that you may see:", total);
    }

    /** The numbers in one sentence, for who cannot see them. */
    get spoken() {
        return this.hasNumbers && !this.state.isStale
            ? (this.props.isAmount ? this.amounts : this.outcomes).map(({ label, number }) => `${label}: ${number}`).join(", ")
            : "";
    }

    get outcomes() {
        const { counts } = this.state;
        const outcome = (name, label, colour) => ({
            name,
            label,
            colour,
            number: formatInteger(counts[name]),
            percent: this.total ? (100 * counts[name]) / this.total : 0,
            share: this.share(counts[name], this.total),
            examples: counts.examples[name],
            more:
                counts[name] > counts.examples[name].length
                    ? _t("and %s more", formatInteger(counts[name] - counts.examples[name].length))
                    : "",
        });
        return [
            outcome("eligible", _t("Eligible"), "success"),
            outcome("not_eligible", _t("Not eligible"), "secondary"),
            outcome("undetermined", _t("Undetermined: data are missing"), "warning"),
        ];
    }

    /** What an amount comes to, before any upper limit. */
    get amounts() {
        const { counts } = this.state;
        const amount = (name, label) => ({
            name,
            label,
            number: counts[name] === false ? "–" : formatFloat(Number(counts[name]), { digits: [16, 2] }),
        });
        const people = (name, label, colour) => ({
            name,
            label,
            colour: counts[name] ? colour : "",
            number: formatInteger(counts[name]),
            share: this.share(counts[name], this.total),
        });
        return [
            people("computed", _t("Amounts")),
            amount("least", _t("The least")),
            amount("greatest", _t("The greatest")),
            amount("total", _t("Total")),
            people("not_computable", _t("Cannot be computed: data are missing"), "warning"),
            people("not_above_zero", _t("Zero or below: would have to be mended"), "danger"),
        ];
    }

    share(count, total) {
        const percent = Math.round((100 * count) / total);
        if (!total) {
            return "";
        }
        if (count && !percent) {
            return _t("less than 1 %");
        }
        if (count < total && percent === 100) {
            return _t("more than 99 %");
        }
        return `${percent} %`;
    }

    // -- asking the server ---------------------------------------------------------------------

    async loadVocabulary(target) {
        if (!(target in this.vocabularies)) {
            this.vocabularies[target] = target
                ? this.call("editor_vocabulary", target)
                : Promise.resolve(NO_VOCABULARY);
        }
        const vocabulary = await this.vocabularies[target];
        if (target === this.target) {
            this.state.vocabulary = markRaw(vocabulary);
        }
    }

    ask() {
        this.nextCount = null;
        this.state.isStale = true;
        if (this.props.readonly || !this.target || !this.state.text.trim()) {
            this.checkSoon.cancel();
            this.countSoon.cancel();
            this.state.problem = this.state.counts = null;
            return;
        }
        if (this.countedTarget !== this.target) {
            this.countedTarget = this.target;
            this.state.counts = null;
        }
        this.checkSoon();
        this.countSoon();
    }

    get question() {
        return [this.state.text, this.target, this.asOf];
    }

    isCurrent(question) {
        return this.question.every((part, number) => part === question[number]);
    }

    async check() {
        const { question } = this;
        const [text, target] = question;
        const problem = await this.lastCheck.add(
            this.call(this.props.isAmount ? "editor_check_amount" : "editor_check", text, target)
        );
        if (this.isCurrent(question)) {
            this.state.problem = problem ? { text, ...problem } : null;
        }
    }

    /** Count for the text as it is now. One request at a time: a slow one is not piled upon. */
    async count() {
        this.nextCount = this.question;
        if (this.isCounting) {
            return;
        }
        this.isCounting = true;
        try {
            while (this.nextCount) {
                const question = this.nextCount;
                this.nextCount = null;
                const counts = await this.countFor(question);
                if (counts && this.isCurrent(question)) {
                    this.state.counts = counts;
                    this.state.isStale = false;
                }
            }
        } finally {
            this.isCounting = false;
        }
    }

    async countFor(question) {
        try {
            return await this.call(this.props.isAmount ? "editor_count_amount" : "editor_count", ...question);
        } catch (error) {
            if ((error.exceptionName || "").startsWith("odoo.exceptions.")) {
                return { failed: error.data.message };
            }
            throw error; // not meant for the user: the web client shows it as it does everywhere
        }
    }

    call(method, ...parameters) {
        return this.orm.silent.call("spp.rule", method, parameters);
    }

    // -- writing -------------------------------------------------------------------------------

    onInput() {
        this.state.text = this.textarea.el.value;
        if (this.isReplacing) {
            this.close();
        } else {
            this.suggest();
        }
    }

    onKeydown(ev) {
        if (ev.ctrlKey && ev.code === "Space") {
            ev.preventDefault();
            this.suggest(true);
            return;
        }
        if (!this.state.choices || ev.ctrlKey || ev.altKey || ev.metaKey || ev.shiftKey) {
            return;
        }
        const { choices } = this.state.choices;
        const move = (step) => {
            this.state.chosen = (this.state.chosen + step + choices.length) % choices.length;
        };
        const does = {
            ArrowDown: () => move(1),
            ArrowUp: () => move(-1),
            Tab: () => this.choose(this.state.chosen),
            Enter: () => this.choose(this.state.chosen),
            Escape: () => this.close(),
        }[ev.key];
        if (does) {
            // Neither the field nor the form, whose own keys these are as well, may act on them now.
            ev.preventDefault();
            ev.stopImmediatePropagation();
            does();
        } else if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(ev.key)) {
            this.close();
        }
    }

    suggest(asked = false) {
        const { selectionStart, selectionEnd, value } = this.textarea.el;
        const found =
            selectionStart === selectionEnd &&
            complete(value, selectionStart, this.state.vocabulary, asked);
        this.state.choices = found ? markRaw(found) : null;
        this.state.chosen = 0;
    }

    choose(number) {
        const { start, end, choices } = this.state.choices;
        const { insert, caret } = choices[number];
        this.close();
        this.replace(start, end, insert, caret);
    }

    applyFix() {
        const { start, end } = this.fix;
        const { suggestion } = this.state.problem;
        this.replace(start, end, suggestion, suggestion.length);
    }

    close() {
        this.state.choices = null;
    }

    replace(start, end, text, caret) {
        const { el } = this.textarea;
        this.isReplacing = true;
        el.focus();
        el.setSelectionRange(start, end);
        // The only way that keeps the browser's undo; where it is missing, the text is set.
        if (!document.execCommand("insertText", false, text)) {
            el.setRangeText(text, start, end);
            el.dispatchEvent(new InputEvent("input", { bubbles: true }));
        }
        el.setSelectionRange(start + caret, start + caret);
        this.isReplacing = false;
    }

    /** Put the list of choices below the word that is being written, and the chosen one in sight. */
    placePopup() {
        const popup = this.popup.el;
        if (!popup) {
            return;
        }
        const layer = this.layer.el.getBoundingClientRect();
        const word = this.rectangleAt(this.state.choices.start);
        const left = Math.min(word.left - layer.left, layer.width - popup.offsetWidth);
        popup.style.left = `${Math.max(left, 0)}px`;
        popup.style.top = `${word.bottom - layer.top + 4}px`;
        const chosen = popup.children[this.state.chosen];
        const above = chosen.offsetTop - popup.scrollTop;
        if (above < 0 || above + chosen.offsetHeight > popup.clientHeight) {
            popup.scrollTop = chosen.offsetTop - (above < 0 ? 0 : popup.clientHeight - chosen.offsetHeight);
        }
    }

    /** The rectangle of the character at an offset of the layer's text. */
    rectangleAt(offset) {
        const walker = document.createTreeWalker(this.layer.el, NodeFilter.SHOW_TEXT);
        const range = document.createRange();
        let left = offset;
        let node = walker.nextNode();
        while (node && left >= node.length) {
            left -= node.length;
            node = walker.nextNode();
        }
        if (!node) {
            return this.layer.el.getBoundingClientRect();
        }
        range.setStart(node, left);
        range.setEnd(node, left + 1);
        return range.getBoundingClientRect();
    }

    // -- the people behind the numbers -----------------------------------------------------------

    /** Show a registrant over the rule, whose text may not be saved yet. */
    async open(registrant) {
        const viewId = await this.orm.call("res.partner", "get_formview_id", [[registrant.id]]);
        this.dialog.add(FormViewDialog, {
            resModel: "res.partner",
            resId: registrant.id,
            viewId,
            title: registrant.name,
            preventCreate: true,
            preventEdit: true,
        });
    }
}

export const celEditor = {
    component: CelEditor,
    displayName: _t("Rule in CEL"),
    supportedTypes: ["text"],
    extractProps: ({ attrs, options }) => ({
        placeholder: attrs.placeholder,
        targetField: options.target || "target",
        asOfField: options.as_of,
        isAmount: Boolean(options.amount),
    }),
};

registry.category("fields").add("cel_editor", celEditor);
