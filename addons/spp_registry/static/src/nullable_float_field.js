/** @odoo-module **/

// A number field that can be empty: clearing it stores "unknown" rather than 0.

import { registry } from "@web/core/registry";
import { FloatField, floatField } from "@web/views/fields/float/float_field";

export class NullableFloatField extends FloatField {
    parse(value) {
        return value.trim() === "" ? false : super.parse(value);
    }
}

registry.category("fields").add("nullable_float", { ...floatField, component: NullableFloatField });
